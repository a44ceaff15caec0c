package collector

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// recordedTimes checks the times of past events that an object of the host has. A
// time after the object was read is impossible: it was recorded with another clock,
// or the clock was set back since. No age can be computed from it.
type recordedTimes struct {
	readAt time.Time // by the host's clock
	future []string  // properties whose time is impossible
}

// past returns the time of an event, false if it is not known or impossible.
func (r *recordedTimes) past(property string, at *time.Time) (time.Time, bool) {
	t, known := msvm.Known(at)
	if !known {
		return time.Time{}, false
	}
	if _, ok := msvm.Elapsed(t, r.readAt); !ok {
		r.future = append(r.future, property)
		return time.Time{}, false
	}
	return t, true
}

// warn logs the properties whose time is impossible, in one line. The id is that of
// the object.
func (r *recordedTimes) warn(out *output, id string) {
	if len(r.future) > 0 {
		properties := strings.Join(r.future, ",")
		out.warn("future time "+properties+id, "time is in the future", "properties", properties, "id", id)
	}
}
