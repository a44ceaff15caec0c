package collector_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// strictHost opens sessions with a host whose GetReplicationStatisticsEx accepts only the host's own text of a
// relationship. It counts.
type strictHost struct {
	accepted, refused, texts atomic.Int32
}

type strictSession struct {
	wmiquery.Session
	host *strictHost
}

func (h *strictHost) wrap(open opener) opener {
	return func() (wmiquery.Session, error) {
		s, err := open()
		return strictSession{s, h}, err
	}
}

func (s strictSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	if c.Method == "GetReplicationStatisticsEx" {
		if !strings.Contains(c.Text("ReplicationRelationship"), `CLASSORIGIN="___SYSTEM"`) {
			s.host.refused.Add(1)
			return wmiquery.Reply{Code: 32773}, nil
		}
		s.host.accepted.Add(1)
	}
	return s.Session.Call(c)
}

func (s strictSession) Texts(class wmiquery.Class) ([]wmiquery.Embedded, error) {
	s.host.texts.Add(1)
	return s.Session.Texts(class)
}

// If the host refuses the text of a relationship, it gets its own text: in the scrape that finds out, and without another
// refusal in all later ones. The texts are read once per scrape. The log says so once.
func TestHostGetsItsOwnTextOfRelationships(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &strictHost{}
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 20, Scenario: "healthy", Now: time.Now}, h.wrap)
		for scrape := range int32(3) {
			h.accepted.Store(0)
			h.refused.Store(0)
			h.texts.Store(0)
			exposition := r.gather(t, scrapeTimeout)
			got := parseSeries(exposition)
			replicating := int32(strings.Count(exposition, "hyperv_replica_statistics_age_seconds{"))
			if got[successSeries("statistics")] != "1" || replicating < 10 || h.accepted.Load() != replicating {
				t.Errorf("scrape %d: statistics of %d relationships, success %s", scrape, h.accepted.Load(),
					got[successSeries("statistics")])
			}
			if refused := h.refused.Load(); scrape == 0 && refused == 0 || scrape > 0 && refused != 0 {
				t.Errorf("scrape %d: %d calls were refused", scrape, refused)
			}
			if texts := h.texts.Load(); texts != 1 {
				t.Errorf("scrape %d: the texts were read %d times", scrape, texts)
			}
			time.Sleep(time.Minute)
		}
		const line = `level=warn msg="host accepts only its own text of a relationship" collector=statistics ` +
			`method=GetReplicationStatisticsEx`
		if n := strings.Count(strings.Join(r.logs.TakeLines(), "\n"), line); n != 1 {
			t.Errorf("the log says it %d times", n)
		}
	})
}

// A host that refuses its own text, too, gets the short one again: the refusal has another reason.
func TestRefusalOfOwnTextIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refuses atomic.Bool
		refuses.Store(true)
		var own atomic.Int32
		hooks := sessionHooks{call: func(s wmiquery.Session, c wmiquery.Call) (wmiquery.Reply, error) {
			if c.Method == "GetReplicationStatisticsEx" {
				if strings.Contains(c.Text("ReplicationRelationship"), `CLASSORIGIN="___SYSTEM"`) {
					own.Add(1)
				}
				if refuses.Load() {
					return wmiquery.Reply{Code: 32773}, nil
				}
			}
			return s.Call(c)
		}}
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 4, Scenario: "healthy", Now: time.Now}, hooks.wrap)
		got := parseSeries(r.gather(t, scrapeTimeout))
		if got[successSeries("statistics")] != "0" || own.Load() == 0 {
			t.Errorf("success %s, %d calls with the host's own text", got[successSeries("statistics")], own.Load())
		}
		refuses.Store(false)
		own.Store(0)
		time.Sleep(time.Minute)
		got = parseSeries(r.gather(t, scrapeTimeout))
		if got[successSeries("statistics")] != "1" || own.Load() != 0 {
			t.Errorf("later: success %s, %d calls with the host's own text", got[successSeries("statistics")], own.Load())
		}
	})
}
