package cimxml

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// datetimeLength is the length of both forms of a CIM datetime (DSP0004):
//
//	yyyymmddHHMMSS.mmmmmm±mmm  a point in time, with its offset from UTC in minutes
//	ddddddddHHMMSS.mmmmmm:000  an interval
const datetimeLength = 25

// ParseTime parses a point in time and returns it in UTC. An offset of *** means that the time zone is not known.
// ParseTime then assumes UTC, because Hyper-V writes all points in time in UTC. Asterisks instead of the last fields
// are replaced by the smallest possible value. The start of the year 1601, which means "never" in Windows, is returned
// unchanged.
func ParseTime(s string) (time.Time, error) {
	text, ok := fillWildcards(s, "00010101000000.000000", 4)
	if !ok || (s[21] != '+' && s[21] != '-') || strings.ContainsAny(text, "+-,") { // time.Parse accepts these
		return time.Time{}, timeError(s)
	}
	t, err := time.Parse("20060102150405.000000", text)
	if err != nil {
		return time.Time{}, timeError(s)
	}
	if s[22:] != "***" {
		minutes, ok := digits(s[22:])
		if !ok {
			return time.Time{}, timeError(s)
		}
		if s[21] == '+' {
			minutes = -minutes
		}
		t = t.Add(time.Duration(minutes) * time.Minute)
	}
	if t.Year() < 1 || t.Year() > 9999 { // FormatTime cannot format other years
		return time.Time{}, timeError(s)
	}
	return t, nil
}

func timeError(s string) error {
	return fmt.Errorf("%.40q is not a CIM point in time (yyyymmddHHMMSS.mmmmmm±mmm)", s)
}

// fillWildcards replaces the asterisks at the end of a datetime by the characters of smallest. Asterisks may stand for
// whole fields or for the last digits of the microseconds. first is the length of the first field; the other fields up
// to the dot have two digits. The result ends with the microseconds. It returns false if s is not valid.
func fillWildcards(s, smallest string, first int) (string, bool) {
	if len(s) != datetimeLength {
		return "", false
	}
	s = s[:len(smallest)]
	i := strings.IndexByte(s, '*')
	if i < 0 {
		return s, true
	}
	atField := i == 0 || i > 14 || (i >= first && i%2 == 0)
	return s[:i] + smallest[i:], atField && s[i:] == "**************.******"[i:]
}

// FormatTime formats a point in time in UTC, with microseconds and the offset -000, like Hyper-V. A time outside of the
// years 1 to 9999 is replaced by the nearest time that can be formatted.
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

// ParseInterval parses an interval. Asterisks instead of the last fields count as zeros. An interval of more than 292
// years is an error.
func ParseInterval(s string) (time.Duration, error) {
	text, ok := fillWildcards(s, "00000000000000.000000", 8)
	if !ok || s[21:] != ":000" || s[14] != '.' {
		return 0, intervalError(s)
	}
	var total int64 // microseconds; 99999999 days do not overflow
	for _, field := range []struct{ from, to, limit int }{
		{0, 8, 1e8}, {8, 10, 24}, {10, 12, 60}, {12, 14, 60}, {15, 21, 1e6},
	} {
		n, ok := digits(text[field.from:field.to])
		if !ok || n >= field.limit {
			return 0, intervalError(s)
		}
		total = total*int64(field.limit) + int64(n)
	}
	if total > math.MaxInt64/int64(time.Microsecond) {
		return 0, fmt.Errorf("interval %s is longer than 292 years", s)
	}
	return time.Duration(total) * time.Microsecond, nil
}

func intervalError(s string) error {
	return fmt.Errorf("%.40q is not a CIM interval (ddddddddHHMMSS.mmmmmm:000)", s)
}

// FormatInterval formats an interval with microseconds. A negative interval is an error.
func FormatInterval(d time.Duration) (string, error) {
	if d < 0 {
		return "", fmt.Errorf("a CIM interval cannot be negative: %v", d)
	}
	return fmt.Sprintf("%08d%02d%02d%02d.%06d:000", d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60,
		d/time.Second%60, d/time.Microsecond%1e6), nil
}

// digits parses a number that consists of digits only.
func digits(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}
