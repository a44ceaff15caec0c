package exporter_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// For hours, faults come and go on a simulated host, and the exporter is scraped every 15 seconds. Every sample of every
// scrape is what the host said at a moment within the age that the exporter reports for it, or it is absent. A twin of
// the host, without faults that delay or fail requests, says what that is.
func TestSamplesAreTrueWhileFaultsComeAndGo(t *testing.T) {
	for _, scenario := range simulator.Scenarios() {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newSoak(t, scenario).run(2 * time.Hour) })
		})
	}
}

const (
	soakInterval = 15 * time.Second
	soakTimeout  = 9500 * time.Millisecond
	soakStart    = 1_800_000_000 // a Unix time
)

// soakFaults are the faults that a soak draws from: one of each group at a time.
var soakFaults = []string{
	"denied", "disconnected", "hung", "slow=1s", "slow=3s", "slow=8s", "slow=12s",
	"relationship-failing", "relationship-hung", "statistics-job", "statistics-empty", "service-error",
	"nulls", "unknown-enum", "hung=" + msvm.MethodGetReplicationStatisticsEx, "hung=GetSystemCertificates",
}

func init() {
	for _, c := range msvm.Classes() {
		soakFaults = append(soakFaults, "class-missing="+c.WMIClass().Name, "hung="+c.WMIClass().Name)
	}
}

// soak is a run of TestSamplesAreTrueWhileFaultsComeAndGo.
type soak struct {
	t        *testing.T
	random   *rand.Rand
	host     *simulator.World
	exporter *exporter.Embedded
	active   []string // active faults

	mu            sync.Mutex
	twin          *simulator.World
	twinsExporter *exporter.Embedded
	truths        []truth // what the host said, oldest first
}

// truth is what the host said at a moment.
type truth struct {
	at      time.Time
	samples map[string]float64
}

func newSoak(t *testing.T, scenario string) *soak {
	s := &soak{t: t, random: rand.New(rand.NewPCG(1, 2))}
	begin := time.Now()
	config := simulator.Config{Scenario: scenario, Seed: 7, Now: func() time.Time {
		return time.Unix(soakStart, 0).Add(time.Since(begin))
	}}
	s.host, s.exporter = s.open(config, s.record)
	s.twin, s.twinsExporter = s.open(config, func() {})
	t.Cleanup(func() { s.host.SetFaults(simulator.Faults{}) }) // calls that hang return before Close
	return s
}

// open returns a host and an exporter that reads it. answered is called after each answer of the host.
func (s *soak) open(c simulator.Config, answered func()) (*simulator.World, *exporter.Embedded) {
	w, err := simulator.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	open := func() (wmiquery.Session, error) {
		session, err := w.Open()
		return answeringSession{session, answered}, err
	}
	e, err := exporter.NewEmbedded([]string{"--collector.perf"}, open, w.Now)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(e.Close)
	return w, e
}

// answeringSession calls answered after each answer.
type answeringSession struct {
	wmiquery.Session
	answered func()
}

func (s answeringSession) Read(dst any) error {
	defer s.answered()
	return s.Session.Read(dst)
}

func (s answeringSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	defer s.answered()
	return s.Session.Call(c)
}

// run scrapes until the time has passed. Every few minutes it changes the faults; in every third period there are none.
func (s *soak) run(length time.Duration) {
	var checked, complete int
	begin := time.Now()
	next := begin
	for period := 0; time.Since(begin) < length; time.Sleep(soakInterval) {
		if !time.Now().Before(next) {
			period++
			s.changeFaults(period%3 == 0)
			next = time.Now().Add(time.Duration(2+s.random.IntN(6)) * time.Minute)
		}
		n, whole := s.scrape()
		checked += n
		if whole {
			complete++
		}
	}
	if checked < 10_000 || complete < 20 {
		s.t.Errorf("%d samples checked and %d complete scrapes, want more", checked, complete)
	}
	s.t.Logf("%d samples checked, %d complete scrapes", checked, complete)
}

func (s *soak) changeFaults(none bool) {
	s.active = nil
	for range 1 + s.random.IntN(3) {
		if !none {
			s.active = append(s.active, soakFaults[s.random.IntN(len(soakFaults))])
		}
	}
	faults, err := simulator.ParseFaults(s.active)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// What the host says follows from the faults that change rows; those that delay or fail a request leave none.
	s.twin.SetFaults(simulator.Faults{
		Nulls: faults.Nulls, UnknownEnum: faults.UnknownEnum, ServiceError: faults.ServiceError,
	})
	s.host.SetFaults(faults)
	s.truths = append(s.truths, truth{s.twin.Now(), s.gather(context.Background(), s.twinsExporter)})
}

// record records what the host says now.
func (s *soak) record() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.twin.Now()
	if n := len(s.truths); n > 0 && s.truths[n-1].at.Equal(now) {
		return
	}
	s.truths = append(s.truths, truth{now, s.gather(context.Background(), s.twinsExporter)})
}

// scrape scrapes the exporter and checks each sample. It returns the number of samples that it has compared, and whether
// the scrape has every sample that the host said.
func (s *soak) scrape() (checked int, complete bool) {
	ctx, cancel := context.WithTimeout(context.Background(), soakTimeout)
	defer cancel()
	got := s.gather(ctx, s.exporter)
	s.mu.Lock()
	defer s.mu.Unlock()
	complete = true
	for name, collector := range soakCollectors {
		_ = name
		_ = collector
	}
	for series, value := range got {
		if ignored(series) {
			continue
		}
		checked++
		if !s.wasSaid(series, value) {
			s.t.Errorf("%v into the run, faults %q: %s is %v, the host has not said so", time.Duration(s.twin.Now().Unix()-soakStart)*time.Second, s.active, series, value)
		}
	}
	if len(s.truths) == 0 {
		return checked, false
	}
	for series := range s.truths[len(s.truths)-1].samples {
		if _, ok := got[series]; !ok {
			complete = false
		}
	}
	oldest := s.twin.Now().Add(-6 * time.Minute)
	s.truths = slices.DeleteFunc(s.truths, func(x truth) bool { return x.at.Before(oldest) })
	return checked, complete
}

var soakCollectors = map[string]string{}

func ignored(series string) bool {
	for _, p := range []string{"hyperv_replica_collector_", "hyperv_replica_wmi_", "hyperv_replica_exporter_", "go_", "process_", "hyperv_replica_snapshot_", "hyperv_replica_up", "hyperv_replica_statistics_age"} {
		if strings.HasPrefix(series, p) {
			return true
		}
	}
	return strings.HasSuffix(strings.SplitN(series, "{", 2)[0], "_total")
}

func (s *soak) wasSaid(series string, value float64) bool {
	for _, x := range s.truths {
		if v, ok := x.samples[series]; ok && (v == value || math.IsNaN(v) && math.IsNaN(value)) {
			return true
		}
	}
	return false
}

// gather returns the samples of a scrape by series.
func (s *soak) gather(ctx context.Context, e *exporter.Embedded) map[string]float64 {
	registry, err := e.Registry(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	samples := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			samples[seriesOf(f, m)] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return samples
}

func seriesOf(f *dto.MetricFamily, m *dto.Metric) string {
	var labels []string
	for _, l := range m.GetLabel() {
		labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	return f.GetName() + "{" + strings.Join(labels, ",") + "}"
}
