package msvm

import "time"

// never is the value of a datetime property for an event that has not happened: 16010101000000.000000-000, the epoch of
// FILETIME. With an offset it is up to a day earlier or later.
var never = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)

// Never returns the point in time that means that an event has not happened.
func Never() time.Time { return never }

// Known returns the point in time and true, or false if it is null or "never".
func Known(t *time.Time) (time.Time, bool) {
	if t == nil || t.Year() <= never.Year() {
		return time.Time{}, false
	}
	return *t, true
}

// ClockTolerance is how far an event may be recorded after a later one: clocks of different hosts differ by seconds.
const ClockTolerance = time.Minute

// Elapsed returns the time from one event to a later one. It is 0 if the earlier event was recorded after the later one
// by at most ClockTolerance. It returns false if the difference is larger: one of the clocks was wrong, and the time
// that has elapsed is not known.
func Elapsed(earlier, later time.Time) (time.Duration, bool) {
	switch d := later.Sub(earlier); {
	case d >= 0:
		return d, true
	case d >= -ClockTolerance:
		return 0, true
	}
	return 0, false
}
