package simulator

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// A value equal to a limit is healthy.
func TestHealthLimits(t *testing.T) {
	for _, tt := range []struct {
		state  msvm.ReplicationState
		silent time.Duration
		window Totals
		want   msvm.ReplicationHealth
	}{
		{msvm.Replicating, 0, Totals{}, msvm.HealthOK},
		{msvm.Replicating, 0, Totals{Cycles: 80, Missed: 20}, msvm.HealthOK},
		{msvm.Replicating, 0, Totals{Cycles: 79, Missed: 20}, msvm.HealthWarning},
		{msvm.Replicating, time.Hour, Totals{}, msvm.HealthOK},
		{msvm.Replicating, time.Hour + 1, Totals{}, msvm.HealthWarning},
		// Source: MicrosoftDocs/windowsserverdocs, replication-virtual-machines.md: a sample with the health Normal and an
		// average latency of 01:39:43.
		{msvm.Replicating, 0, Totals{Cycles: 1, Seconds: 5983}, msvm.HealthOK},
		{msvm.SyncedReplicationComplete, 2 * time.Hour, Totals{}, msvm.HealthOK},
		{msvm.Critical, 0, Totals{Cycles: 1, Missed: 9}, msvm.HealthCritical},
		{msvm.Disabled, 2 * time.Hour, Totals{Missed: 9}, msvm.HealthNotApplicable},
	} {
		c := healthInput{state: tt.state, sends: true, sinceReplication: tt.silent, window: tt.window}
		if got, why := evaluateHealth(c); got != tt.want || (len(why) > 0) != (got > msvm.HealthOK) {
			t.Errorf("%+v: health %s for %d reasons, want %s", c, got, len(why), tt.want)
		}
	}
}
