package wmitest_test

import (
	"testing"

	"hyperv_replica_exporter/wmiquery/wmitest"
)

// The simulated host itself conforms, on every system.
func TestSimulator(t *testing.T) {
	wmitest.Run(t, func(_ *testing.T, host wmitest.Open) wmitest.Open { return host })
}
