package exporter_test

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// Pages and health checks show what the last scrape has read, and do not ask the host: between two scrapes that are the
// same, they add no request.
func TestPagesDoNotAskTheHost(t *testing.T) {
	p := exportertest.Start(t, "--web.grafana-url=https://grafana.example.com")
	base := strings.TrimSuffix(p.URL, "/metrics")
	const noData = "The host has not been read yet"
	if _, body := exportertest.Get(t, base+"/"); !strings.Contains(body, noData) {
		t.Errorf("before the first scrape: no %q in\n%s", noData, body)
	}
	series := regexp.MustCompile(`(?m)^hyperv_replica_wmi_requests_total(\S+) (\d+)$`)
	scrape := func() (requests map[string]string, body string) {
		_, body = exportertest.Get(t, p.URL)
		requests = map[string]string{}
		for _, m := range series.FindAllStringSubmatch(body, -1) {
			requests[m[1]] = m[2]
		}
		return requests, body
	}
	// The metrics of a scrape do not count its own requests, so each scrape counts those of the one before it.
	_, body := scrape()
	id := regexp.MustCompile(`vm="app01",vm_id="([^"]+)"`).FindStringSubmatch(body)
	if id == nil {
		t.Fatalf("no VM app01 in\n%s", body)
	}
	first, _ := scrape()
	for _, path := range []string{"/", "/exporter", "/vm/" + id[1], "/replica/" + id[1], "/ready-for-failover/" + id[1]} {
		if _, page := exportertest.Get(t, base+path); strings.Contains(page, noData) {
			t.Errorf("%s has no data:\n%s", path, page)
		}
	}
	_, body = exportertest.Get(t, base+"/vm/"+id[1])
	if !strings.Contains(body, `href="https://grafana.example.com/d/hyperv-replica-vm?var-vm_id=`+id[1]+`"`) {
		t.Errorf("no link to Grafana in\n%s", body)
	}
	second, _ := scrape()
	third, _ := scrape()
	if len(first) < 10 || !maps.Equal(difference(second, first), difference(third, second)) {
		t.Errorf("requests %v with pages in between, %v without", difference(second, first), difference(third, second))
	}
}

// difference returns which counters have grown, and by how much.
func difference(after, before map[string]string) map[string]int {
	grown := map[string]int{}
	for series, n := range after {
		grown[series] = atoi(n) - atoi(before[series])
	}
	return grown
}

func atoi(s string) (n int) {
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}
