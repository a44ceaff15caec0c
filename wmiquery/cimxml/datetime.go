package cimxml

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Both forms of a CIM datetime have 25 characters (DSP0004):
//
//	yyyymmddHHMMSS.mmmmmm±mmm  a point in time, with its offset from UTC in minutes
//	ddddddddHHMMSS.mmmmmm:000  an interval
const datetimeLength = 25

// ParseTime reads a point in time, and gives it in UTC. An offset of *** means
// that the zone is not told; it is taken as UTC, in which Hyper-V writes all of
// its points in time. Asterisks in place of the last fields are taken as the
// least they can stand for. Windows' "never" is the start of the year 1601, and
// is returned as such.
func ParseTime(s string) (time.Time, error) {
	text, ok := fill(s, "00010101000000.000000", 4)
	if !ok || (s[21] != '+' && s[21] != '-') || strings.ContainsAny(text, "+-,") { // which time.Parse would take
		return time.Time{}, badTime(s)
	}
	t, err := time.Parse("20060102150405.000000", text)
	if err != nil {
		return time.Time{}, badTime(s)
	}
	if s[22:] != "***" {
		minutes, ok := digits(s[22:])
		if !ok {
			return time.Time{}, badTime(s)
		}
		if s[21] == '+' {
			minutes = -minutes
		}
		t = t.Add(time.Duration(minutes) * time.Minute)
	}
	if t.Year() < 1 || t.Year() > 9999 { // FormatTime could not write it
		return time.Time{}, badTime(s)
	}
	return t, nil
}

func badTime(s string) error {
	return fmt.Errorf("%.40q is no CIM point in time, yyyymmddHHMMSS.mmmmmm±mmm", s)
}

// fill replaces asterisks at the end of a datetime, which stand for whole fields
// or for the last digits of the microseconds, by what is there in least. The
// first field is that long, the others up to the dot have two digits. The result
// lacks what follows the microseconds.
func fill(s, least string, first int) (string, bool) {
	if len(s) != datetimeLength {
		return "", false
	}
	s = s[:len(least)]
	i := strings.IndexByte(s, '*')
	if i < 0 {
		return s, true
	}
	whole := i == 0 || i > 14 || (i >= first && i%2 == 0)
	return s[:i] + least[i:], whole && s[i:] == "**************.******"[i:]
}

// FormatTime writes a point in time in UTC, with microseconds and the offset
// -000, as Hyper-V does. A year that four digits cannot hold is cut to the
// nearest that they can.
func FormatTime(t time.Time) string {
	t = t.UTC()
	switch {
	case t.Year() < 1:
		t = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() > 9999:
		t = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	}
	return t.Format("20060102150405.000000") + "-000"
}

// ParseInterval reads an interval. Asterisks in place of the last fields count
// as zeros. An interval of more than 292 years is an error.
func ParseInterval(s string) (time.Duration, error) {
	text, ok := fill(s, "00000000000000.000000", 8)
	if !ok || s[21:] != ":000" || s[14] != '.' {
		return 0, badInterval(s)
	}
	var total int64 // microseconds; 99999999 days fit
	for _, field := range []struct{ from, to, limit int }{
		{0, 8, 1e8}, {8, 10, 24}, {10, 12, 60}, {12, 14, 60}, {15, 21, 1e6},
	} {
		n, ok := digits(text[field.from:field.to])
		if !ok || n >= field.limit {
			return 0, badInterval(s)
		}
		total = total*int64(field.limit) + int64(n)
	}
	if total > math.MaxInt64/int64(time.Microsecond) {
		return 0, fmt.Errorf("%s is longer than 292 years", s)
	}
	return time.Duration(total) * time.Microsecond, nil
}

func badInterval(s string) error {
	return fmt.Errorf("%.40q is no CIM interval, ddddddddHHMMSS.mmmmmm:000", s)
}

// FormatInterval writes an interval with microseconds. A negative one is an
// error: CIM has none.
func FormatInterval(d time.Duration) (string, error) {
	if d < 0 {
		return "", fmt.Errorf("a CIM interval cannot be negative: %v", d)
	}
	return fmt.Sprintf("%08d%02d%02d%02d.%06d:000", d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60,
		d/time.Second%60, d/time.Microsecond%1e6), nil
}

// digits is the number that s writes with digits alone.
func digits(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}
