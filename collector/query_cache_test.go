package collector

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/wmiquery"
)

// clockReader is a wmiquery.Reader of which a queryCache uses the clock only.
type clockReader struct{ wmiquery.Reader }

func (clockReader) Now() time.Time { return time.Now() }

// The cache keeps nothing of queries that are finished and removed, so that it does not grow with
// every relationship that a host ever had.
func TestQueryCacheForgetsRemovedQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newQueryCache(clockReader{}, newDedupLogger(log.NewNopLogger()), time.Second, time.Minute)
		for key, err := range map[string]error{"kept": nil, "removed": nil, "removed, failed": errors.New("failed")} {
			c.join(query{key: key, operation: "Get", run: func(context.Context) (any, error) { return key, err }})
		}
		synctest.Wait()
		c.prune(func(key string) bool { return key != "kept" })
		for name, keys := range map[string][]string{
			"lastRun": sortedKeys(c.lastRun), "lastGood": sortedKeys(c.lastGood),
		} {
			if !slices.Equal(keys, []string{"kept"}) {
				t.Errorf("%s contains %q, want only the query that was kept", name, keys)
			}
		}
		if len(c.inflight) != 0 || len(c.unanswered) != 0 {
			t.Errorf("%d queries in flight, %d unanswered after all have finished", len(c.inflight), len(c.unanswered))
		}
	})
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
