package wmitest_test

import (
	"testing"

	"hyperv_replica_exporter/wmiquery/wmitest"
)

// TestSimulator runs on all operating systems.
func TestSimulator(t *testing.T) {
	wmitest.Run(t, func(_ *testing.T, host wmitest.Open) wmitest.Open { return host })
}
