package collector

import (
	"context"
	"errors"
	"maps"
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
			c.join(query{key: key, operation: "Get", run: func(context.Context) (any, error) { return key, err }}, 0)
		}
		synctest.Wait()
		c.prune(func(key string) bool { return key != "kept" })
		if keys := slices.Sorted(maps.Keys(c.queries)); !slices.Equal(keys, []string{"kept"}) {
			t.Errorf("the cache has the state of %q, want only the query that was kept", keys)
		}
		if s := c.queries["kept"]; s.attempt != nil || s.unanswered != 0 {
			t.Errorf("%d attempts unanswered after all queries have finished", s.unanswered)
		}
	})
}
