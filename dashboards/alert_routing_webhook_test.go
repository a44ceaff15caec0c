//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"
)

// webhook is the server to which Alertmanager sends notifications. Each receiver has a path of its own.
type webhook struct {
	*httptest.Server
	fleet *fleet

	mu       sync.Mutex
	firing   map[string]map[string]string // severity and receiver by simulation and alert
	resolved map[string]map[string]bool   // by simulation and alert
}

func newWebhook(t *testing.T, f *fleet) *webhook {
	t.Helper()
	h := &webhook{fleet: f, firing: map[string]map[string]string{}, resolved: map[string]map[string]bool{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *webhook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var message struct {
		Receiver string
		Alerts   []struct {
			Status string
			Labels map[string]string
		}
	}
	err := json.NewDecoder(r.Body).Decode(&message)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || r.URL.Path != "/"+message.Receiver {
		h.setFiring(noSimulation, "invalid message", r.URL.Path)
	}
	for _, a := range message.Alerts {
		simulation, alert := h.fleet.identify(a.Labels)
		if a.Status == "resolved" {
			if h.resolved[simulation] == nil {
				h.resolved[simulation] = map[string]bool{}
			}
			h.resolved[simulation][alert] = true
			continue
		}
		h.setFiring(simulation, alert, a.Labels["severity"]+" "+message.Receiver)
	}
}

// setFiring records a notification of a firing alert. The caller must hold h.mu.
func (h *webhook) setFiring(simulation, alert, route string) {
	if h.firing[simulation] == nil {
		h.firing[simulation] = map[string]string{}
	}
	if strings.HasPrefix(alert, "LagAlert ") {
		route = "any"
	}
	h.firing[simulation][alert] = route
}

// received returns the severity and the receiver of each alert of a simulation that has arrived since the start or the
// last clear.
func (h *webhook) received(simulation string) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.firing[simulation])
}

// clear removes the alerts of a simulation that have arrived.
func (h *webhook) clear(simulation string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.firing, simulation)
}

// isResolved reports whether Alertmanager has sent that an alert is resolved.
func (h *webhook) isResolved(simulation, alert string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.resolved[simulation][alert]
}

// expect waits up to a minute for the expected alerts of a simulation. No others may have arrived by then.
func (h *webhook) expect(t *testing.T, simulation string, want map[string]string) {
	t.Helper()
	h.expectWith(t, simulation, want, nil)
}

// expectWith is expect, except that the possible alerts may arrive, too.
func (h *webhook) expectWith(t *testing.T, simulation string, want, possible map[string]string) {
	t.Helper()
	promtest.Poll(time.Minute, func() bool {
		got := h.received(simulation)
		for alert := range want {
			if got[alert] == "" {
				return false
			}
		}
		return true
	})
	got := h.received(simulation)
	for alert, route := range want {
		if got[alert] != route {
			t.Errorf("%s: %s arrived as %q, want %q", simulation, alert, got[alert], route)
		}
	}
	for alert, route := range got {
		if want[alert] == "" && possible[alert] != route {
			t.Errorf("%s: unexpected %s arrived as %q", simulation, alert, route)
		}
	}
}
