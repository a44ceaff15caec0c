package collector

import (
	"strings"
	"testing"
	"time"
)

// The objective is 0 if it is not known, and the default, twice the interval, is not one that was set.
func TestObjective(t *testing.T) {
	const id = "4708A0F4-C902-429B-A1E0-D4AB0893E452"
	for _, tt := range []struct {
		rules, vm string
		interval  time.Duration
		want      time.Duration
		isSet     bool
	}{
		{"", "web01", 300 * time.Second, 10 * time.Minute, false},
		{"", "web01", 0, 0, false},
		{"15m", "web01", 0, 15 * time.Minute, true},
		{"sql.*=5m 15m", "sql01", 900 * time.Second, 5 * time.Minute, true},
		{"sql.*=5m 15m", "web01", 900 * time.Second, 15 * time.Minute, true},
		{"sql.*=5m", "mysql01", 30 * time.Second, time.Minute, false}, // the whole name must match
		{"web01|sql.*=5m 1h", "web01", 0, 5 * time.Minute, true},
		{"web01|sql.*=5m 1h", "sql01", 0, 5 * time.Minute, true},
		{"web01|sql.*=5m 1h", "web012", 0, time.Hour, true}, // each alternative must match the whole name
		{"web01|sql.*=5m 1h", "mysql01", 0, time.Hour, true},
		{"sql.*=5m sql01=1h", "sql01", 0, 5 * time.Minute, true}, // the first rule that matches applies
		{"1h sql01=5m", "sql01", 0, time.Hour, true},
		{"sql01=5m", "SQL01", 0, 0, false}, // names are case-sensitive
		{"web01|" + id + "=5m", "sql01", 0, 5 * time.Minute, true},
		{"4708A0F4=5m 1h", "sql01", 0, time.Hour, true}, // the whole GUID must match
		{"|sql01=5m 1h", "web01", 0, time.Hour, true},
		{"sql.*=5m", "web01", 30 * time.Second, time.Minute, false},
		{strings.ToLower(id) + "=5m", "sql01", 0, 5 * time.Minute, true}, // a GUID in either case
		{id + "=1h30m", "web01", 300 * time.Second, 90 * time.Minute, true},
		{"a=b=1m", "a=b", 300 * time.Second, time.Minute, true},
	} {
		var rules []Objective
		for s := range strings.FieldsSeq(tt.rules) {
			o, err := ParseObjective(s)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, o)
		}
		if got, isSet := objectiveFor(rules, tt.vm, id, tt.interval); got != tt.want || isSet != tt.isSet {
			t.Errorf("%q for %s: %v, %v; want %v, %v", tt.rules, tt.vm, got, isSet, tt.want, tt.isSet)
		}
	}
	for _, bad := range []string{"", "x", "0s", "-5m", "(=5m", "sql)|(?:web=5m", "web01=", "web01=soon", "=", "web01=0s"} {
		if o, err := ParseObjective(bad); err == nil {
			t.Errorf("%q was accepted as %+v", bad, o)
		}
	}
}
