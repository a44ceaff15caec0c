package operation

import (
	"context"
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

// hangingReader is a host whose calls hang.
type hangingReader struct{ *fakeHost }

func (hangingReader) Get(ctx context.Context, _ wmiquery.Call) (wmiquery.Reply, error) {
	<-ctx.Done()
	return wmiquery.Reply{}, ctx.Err()
}

// A relationship is given by its InstanceID alone. Any other property is refused, since the host would ignore it.
func TestRelationshipIsGivenByItsIDAlone(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 3)
	const id = `"InstanceID": "Microsoft:` + vmA + `\\HVR\\0"`
	for text, want := range map[string]string{
		`{` + id + `}`:                           "",
		`{` + id + `, "ReplicationState": 8}`:    "invalid-parameter",
		`{` + id + `, "ReplicationState": null}`: "invalid-parameter",
		`{"ReplicationState": 8}`:                "invalid-parameter",
		`{}`:                                     "invalid-parameter",
	} {
		_, p := planMethod(t, h, "RequestReplicationStateChangeEx", vmA,
			`{"RequestedState": 7, "ReplicationRelationship": `+text+`}`)
		if slugOf(p) != want {
			t.Errorf("%s: got problem %+v, want %q", text, p, want)
		}
	}
}

// An interval is at least 0.
func TestIntervals(t *testing.T) {
	for text, want := range map[string]string{
		`"6h30m"`: "", `"0s"`: "", `"-1ns"`: "invalid-parameter", `"-6h"`: "invalid-parameter", `"6"`: "invalid-parameter",
		`21600`: "invalid-parameter", `""`: "invalid-parameter",
	} {
		h, _ := hostOfKind("primary", 3, 3)
		_, p := planMethod(t, h, "ModifyReplicationSettings", "", `{"ComputerSystem": "`+vmA+
			`", "ReplicationSettingData": {"AutoResynchronizeIntervalStart": `+text+`}}`)
		if slugOf(p) != want {
			t.Errorf("%s: got problem %+v, want %q", text, p, want)
		}
	}
}
