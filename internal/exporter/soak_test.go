package exporter_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// For hours, faults come and go on a simulated host, and the exporter is scraped every 15 seconds. Every sample of every
// scrape is what the host said at a moment within the age that the exporter reports, or it is absent. What the host said
// comes from a twin of the host that has no faults that delay or fail requests.
func TestSamplesAreTrueWhileFaultsComeAndGo(t *testing.T) {
	for _, scenario := range []string{"mixed", "failover-drill"} {
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

// A soak draws from faults that change what the host says, and from faults that keep the exporter from hearing it.
var (
	soakValueFaults  = []string{"nulls", "unknown-enum", "invalid-value", "saved", "clock-back", "service-error"}
	soakAccessFaults = func() []string {
		all := []string{
			"denied", "disconnected", "hung", "slow=1s", "slow=3s", "slow=8s", "slow=12s",
			"relationship-failing", "relationship-hung", "statistics-job", "statistics-empty",
			"hung=" + msvm.MethodGetReplicationStatisticsEx, "hung=GetSystemCertificates",
		}
		for _, c := range msvm.Classes() {
			all = append(all, "class-missing="+c.WMIClass().Name, "hung="+c.WMIClass().Name)
		}
		return all
	}()
)

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
	truths        []truth     // what the host said in the last minutes, oldest first
	answers       []time.Time // times of all answers
	recorded      time.Time   // time of the last truth
	started       time.Time   // start of the current scrape
	last          samples     // of the last scrape
}

// truth is what the host said at a moment.
type truth struct {
	at      time.Time
	samples samples
}

// samples are the samples of a scrape by series.
type samples map[string]float64

func newSoak(t *testing.T, scenario string) *soak {
	s := &soak{t: t, random: rand.New(rand.NewPCG(1, 2))}
	begin := time.Now()
	config := simulator.Config{Scenario: scenario, VMs: 10, Now: func() time.Time {
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
			s.changeFaults(period%3 == 0)
			period++
			next = time.Now().Add(time.Duration(2+s.random.IntN(6)) * time.Minute)
		}
		got := s.scrape()
		checked += len(got)
		if s.isComplete(got) {
			complete++
		}
	}
	s.t.Logf("%d samples checked, %d complete scrapes", checked, complete)
	if checked < 10_000 || complete < 40 {
		s.t.Errorf("%d samples checked and %d complete scrapes, want more", checked, complete)
	}
}

func (s *soak) changeFaults(none bool) {
	var values, access []string
	if !none && s.random.IntN(2) == 0 {
		values = []string{soakValueFaults[s.random.IntN(len(soakValueFaults))]}
	}
	for range s.random.IntN(3) {
		if !none {
			access = append(access, soakAccessFaults[s.random.IntN(len(soakAccessFaults))])
		}
	}
	s.active = slices.Concat(values, access)
	s.mu.Lock()
	s.twin.SetFaults(s.parseFaults(values))
	s.recorded = time.Time{}
	s.mu.Unlock()
	s.host.SetFaults(s.parseFaults(s.active))
	s.record()
}

func (s *soak) parseFaults(names []string) simulator.Faults {
	faults, err := simulator.ParseFaults(names)
	if err != nil {
		s.t.Fatal(err)
	}
	return faults
}

// record records what the host says now.
func (s *soak) record() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.twin.Now()
	if now.Equal(s.recorded) {
		return
	}
	s.recorded = now
	s.answers = append(s.answers, now)
	s.truths = append(s.truths, truth{now, s.gather(context.Background(), s.twinsExporter)})
	s.truths = slices.DeleteFunc(s.truths, func(x truth) bool { return now.Sub(x.at) > 10*time.Minute })
}

// scrape scrapes the exporter and checks each sample.
func (s *soak) scrape() samples {
	ctx, cancel := context.WithTimeout(context.Background(), soakTimeout)
	defer cancel()
	s.started = s.host.Now()
	got := s.gather(ctx, s.exporter)
	s.record()
	s.mu.Lock()
	defer s.mu.Unlock()
	for series, value := range got {
		if err := s.check(got, series, value); err != "" {
			s.t.Errorf("at %v with faults %q: %s is %v, %s", s.twin.Now(), s.active, series, value, err)
		}
	}
	s.last = got
	return got
}

// check says what is wrong with a sample, and returns an empty string if it is true.
func (s *soak) check(got samples, series string, value float64) string {
	name, _, _ := strings.Cut(series, "{")
	m, ok := soakMetrics[name]
	now := s.truths[len(s.truths)-1]
	switch {
	case !ok: // about the exporter itself
	case name == "hyperv_replica_up":
	case name == "hyperv_replica_statistics_age_seconds":
		// The age is that at a moment of the scrape.
		if !slices.ContainsFunc(s.answers, func(at time.Time) bool {
			return s.started.Sub(at).Seconds() <= value && value <= now.at.Sub(at).Seconds()
		}) {
			return "the host did not answer at that time"
		}
	case m.isCounter:
		if before, ok := s.last[series]; ok && value < before {
			return fmt.Sprintf("less than the last value, %v", before)
		}
		if now.samples[series] < value {
			return fmt.Sprintf("more than happened, %v", now.samples[series])
		}
	default:
		since := got[`hyperv_replica_snapshot_timestamp_seconds{collector="`+m.collector+`"}`]
		if !slices.ContainsFunc(s.truths, func(x truth) bool {
			v, ok := x.samples[series]
			return ok && v == value && float64(x.at.UnixMicro())/1e6 >= since
		}) {
			return fmt.Sprintf("the host has not said so in the %v before", now.at.Sub(time.UnixMicro(int64(since*1e6))))
		}
	}
	return ""
}

// isComplete reports whether a scrape has every series that the host said.
func (s *soak) isComplete(got samples) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for series := range s.truths[len(s.truths)-1].samples {
		if _, ok := got[series]; !ok {
			return false
		}
	}
	return true
}

// soakMetrics are the metrics of the collectors by name.
var soakMetrics = func() map[string]soakMetric {
	metrics := map[string]soakMetric{}
	for _, c := range collector.All(collector.Options{}) {
		for _, m := range c.Metrics {
			metrics[m.Name] = soakMetric{c.Name, m.Type == dto.MetricType_COUNTER && c.Name != "perf"}
		}
	}
	return metrics
}()

type soakMetric struct {
	collector string
	isCounter bool // a counter of the exporter; those of the host can restart
}

func (s *soak) gather(ctx context.Context, e *exporter.Embedded) samples {
	g, err := e.Gatherer(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	families, done, err := g.Gather()
	defer done()
	if err != nil {
		s.t.Fatal(err)
	}
	got := samples{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			series := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			got[series] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return got
}
