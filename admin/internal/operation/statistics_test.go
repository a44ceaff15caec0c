package operation

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Statistics that hang delay a request by five seconds.
func TestStatisticsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := hostOfKind("primary", 3, 2)
		s := h.snapshot(t)
		began := time.Now()
		got := ReadStatistics(t.Context(), hangingReader{h}, s, find(t, s, vmA, "primary"))
		if waited := time.Since(began); waited != 5*time.Second || got.Err == nil || got.Window != nil {
			t.Errorf("after %s: %+v, want an error after 5s", waited, got)
		}
	})
}

// A host that accepts only its own text of a relationship gets it.
func TestStatisticsWithHostsOwnText(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 2)
	h.get = func(c wmiquery.Call) (wmiquery.Reply, error) {
		if !strings.HasSuffix(c.Text("ReplicationRelationship"), later) {
			return wmiquery.Reply{Code: 32773}, nil
		}
		return wmiquery.Reply{Out: map[string]any{"ReplicationStatistics": []string{
			`<INSTANCE CLASSNAME="Msvm_ReplicationStatistics"></INSTANCE>`,
		}}}, nil
	}
	s := h.snapshot(t)
	if got := ReadStatistics(t.Context(), h, s, find(t, s, vmA, "primary")); got.Err != nil || got.Window == nil {
		t.Errorf("got %+v", got)
	}
}

// hangingReader is a host whose calls hang.
type hangingReader struct{ *fakeHost }

func (hangingReader) Get(ctx context.Context, _ wmiquery.Call) (wmiquery.Reply, error) {
	<-ctx.Done()
	return wmiquery.Reply{}, ctx.Err()
}
