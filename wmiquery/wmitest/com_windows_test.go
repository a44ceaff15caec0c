package wmitest_test

import (
	"testing"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/wmitest"
)

// Q29, Q30: the COM client conforms: it reads the simulated host through WMI's scripting
// objects as it is.
func TestCOM(t *testing.T) {
	for name, objects := range map[string]bool{"embedded instances as text": false, "embedded instances as objects": true} {
		t.Run(name, func(t *testing.T) {
			wmitest.Run(t, func(t *testing.T, host wmitest.Open) wmitest.Open {
				fakewmi.Serve(t, &fakewmi.Host{Open: host, Objects: objects})
				return wmiquery.OpenCOM
			})
		})
	}
}
