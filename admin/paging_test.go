package admin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/store"
)

// ids returns the IDs of a list of a response, and the parameter for the next page.
func (env *testEnv) ids(r response, list string) (ids []string, next string) {
	env.Helper()
	entries, ok := r.json[list].([]any)
	if !ok {
		env.Fatalf("no list: %s", r)
	}
	for _, e := range entries {
		ids = append(ids, e.(object)["id"].(string))
	}
	next, _ = r.json["continue"].(string)
	return ids, next
}

// The lists of jobs and of maintenance are read in pages, the newest first. Together, the pages have every entry once,
// also if entries are added in the meantime.
func TestListsInPages(t *testing.T) {
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	var entries []store.Entry
	var want []string
	for i := range 1203 {
		id := newID(env.clock.Now().Add(time.Duration(i) * time.Second))
		want = append([]string{id}, want...)
		at := env.clock.Now()
		entries = append(entries,
			store.Entry{Bucket: job.Bucket, Key: id, Value: job.Record{ID: id, State: job.Succeeded, Created: at, Ended: &at}},
			store.Entry{Bucket: bucketMaintenance, Key: id, Value: maintenance{ID: id, Scope: scopeHost, Until: at, Ended: &at}})
	}
	if err := s.store.PutAll(entries...); err != nil {
		t.Fatal(err)
	}
	for path, list := range map[string]string{apiJobs: "jobs", apiMaintenance: "maintenance"} {
		for query, pages := range map[string]int{"": 3, "limit=300": 5, "limit=401": 3, "limit=400": 4} {
			var got []string
			n, next := 0, ""
			for ; n == 0 || next != ""; n++ {
				var ids []string
				ids, next = env.ids(env.get("HV01", "vic", path+"?"+query+"&continue="+next), list)
				got = append(got, ids...)
			}
			if n != pages || !slices.Equal(got, want) {
				t.Errorf("%s?%s: got %d entries in %d pages, want %d in order in %d", path, query, len(got), n, len(want), pages)
			}
		}
	}
	_, next := env.ids(env.get("HV01", "vic", apiJobs), "jobs")
	env.want("suspend", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 202, "")
	if got, _ := env.ids(env.get("HV01", "vic", apiJobs+"?continue="+next), "jobs"); !slices.Equal(got, want[500:1000]) {
		t.Errorf("after a new job, the second page has %d entries, want those after the first page", len(got))
	}
	if got, next := env.ids(env.get("HV01", "vic", apiMaintenance+"?continue="+want[1202]), "maintenance"); got != nil || next != "" {
		t.Errorf("after the last entry: %q, %q", got, next)
	}
}

// A query that is not that of a page is refused.
func TestQueryOfAPage(t *testing.T) {
	env := newTestEnv(t)
	for query, code := range map[string]int{
		"": 200, "limit=1": 200, "limit=500": 200, "continue=x": 200, "continue=": 200, "limit=500&continue=x": 200,
		"limit=0": 400, "limit=501": 400, "limit=-1": 400, "limit=x": 400, "limit=": 400, "limit=1&limit=2": 400,
		"continue=a&continue=b": 400, "offset=1": 400,
	} {
		for _, path := range []string{apiJobs, apiMaintenance} {
			if r := env.get("HV01", "vic", path+"?"+query); r.code != code {
				t.Errorf("%s?%s: got %s, want %d", path, query, r, code)
			}
		}
	}
}

// A scrape does not read the store, so it takes the same time for any amount of maintenance that has ended.
func TestScrapeDoesNotReadTheStore(t *testing.T) {
	env := newTestEnv(t)
	env.want("announcement", env.postMaintenance("tim",
		object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)}), 201, "")
	if err := env.hosts["HV01"].server.store.Close(); err != nil {
		t.Fatal(err)
	}
	env.wantMetric("without the store", "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 1\n")
}

// Of the maintenance that has ended, the latest 10,000 are kept. What is active is always kept.
func TestNumberOfKeptMaintenance(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var values []store.Value
	for i := range 10_002 {
		m := &maintenance{ID: fmt.Sprint(i), Until: now.Add(-time.Duration(i) * time.Second)}
		values = append(values, store.Value{Key: m.ID, Value: m})
	}
	if got := expiredMaintenance(values, now); !slices.Equal(got, []string{"10000", "10001"}) {
		t.Errorf("got %q", got)
	}
	for _, v := range values {
		v.Value.(*maintenance).Until = now.Add(time.Hour)
	}
	if got := expiredMaintenance(values, now); got != nil {
		t.Errorf("active maintenance expires: %q", got)
	}
}
