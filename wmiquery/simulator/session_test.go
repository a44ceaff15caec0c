package simulator_test

import (
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

func TestSessionRejectsCalls(t *testing.T) {
	w, clock := newWorld(t, simulator.Config{})
	s := open(t, w, "HV01")
	p := faultTest{t, w, clock, s, statisticsCalls(t, s, nil)[:1]}
	p.calls[0].Namespace = wmiquery.CIMV2
	p.wantError(wmiquery.ErrUnsupported, p.firstCall(), s.Read(new([]string)))
	s.Close()
	p.wantError(wmiquery.ErrUnavailable, p.readServices())
}
