package wmitest_test

import (
	"testing"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/wmitest"
)

// Q29, Q30: the COM client passes the conformance test through the scripting objects of WMI.
func TestCOM(t *testing.T) {
	for name, objects := range map[string]bool{
		"embedded instances as strings": false,
		"embedded instances as objects": true,
	} {
		t.Run(name, func(t *testing.T) {
			wmitest.Run(t, func(t *testing.T, host wmitest.Open) wmitest.Open {
				fakewmi.Serve(t, &fakewmi.Host{Open: host, Objects: objects})
				return wmiquery.OpenCOM
			})
		})
	}
}
