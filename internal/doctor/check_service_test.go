package doctor_test

import (
	"errors"
	"testing"

	"hyperv_replica_exporter/internal/doctor"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// The settings of the service are checked on Windows only. What differs is a warning: a service can be installed in
// another way.
func TestServiceSettings(t *testing.T) {
	for _, tt := range []struct {
		service func() ([]string, error)
		want    string
	}{
		{nil, "not checked service settings not applicable: only Windows that is read directly has the service"},
		{
			func() ([]string, error) { return nil, nil },
			"ok service settings account, groups, start, recovery and data folder are as service install makes them",
		},
		{
			func() ([]string, error) {
				return []string{"service: account is LocalSystem", "group: none"}, errors.New("x")
			},
			"warning service settings service: account is LocalSystem; group: none",
		},
		{
			func() ([]string, error) { return nil, errors.New("not elevated") },
			"not checked service settings not elevated",
		},
	} {
		r := examine(t, simulator.Config{Seed: 1}, nil, doctor.Options{Service: tt.service})
		if got := line(t, r, "service settings"); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
