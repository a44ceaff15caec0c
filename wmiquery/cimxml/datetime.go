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
// its points in time. Asterisks in place of the last digits are taken as the
// least they can stand for. Windows' "never" is the start of the year 1601, and
// is returned as such.
func ParseTime(s string) (time.Time, error) {
	bad := fmt.Errorf("%.40q is no CIM point in time, yyyymmddHHMMSS.mmmmmm±mmm", s)
	if len(s) != datetimeLength || (s[21] != '+' && s[21] != '-') {
		return time.Time{}, bad
	}
	var offset int
	if s[22:] != "***" {
		var ok bool
		if offset, ok = digits(s[22:]); !ok {
			return time.Time{}, bad
		}
		if s[21] == '-' {
			offset = -offset
		}
	}
	text, ok := fillWildcards(s[:21], "00010101000000.000000")
	if !ok {
		return time.Time{}, bad
	}
	t, err := time.Parse("20060102150405.000000", text)
	if err != nil || strings.ContainsAny(text, "+- ,") {
		return time.Time{}, bad
	}
	return t.Add(-time.Duration(offset) * time.Minute), nil
}

// fillWildcards replaces the asterisks at the end of s by what stands there in
// least; digits may not follow an asterisk.
func fillWildcards(s, least string) (string, bool) {
	i := strings.IndexByte(s, '*')
	if i < 0 {
		return s, true
	}
	return s[:i] + least[i:], strings.Trim(s[i:], "*.") == ""
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

// ParseInterval reads an interval. Asterisks in place of the last digits count
// as zeros. An interval of more than 292 years is an error.
func ParseInterval(s string) (time.Duration, error) {
	bad := fmt.Errorf("%.40q is no CIM interval, ddddddddHHMMSS.mmmmmm:000", s)
	if len(s) != datetimeLength || s[21:] != ":000" || s[14] != '.' {
		return 0, bad
	}
	text, ok := fillWildcards(s[:21], "00000000000000.000000")
	if !ok {
		return 0, bad
	}
	var n [5]int
	for i, part := range []string{text[:8], text[8:10], text[10:12], text[12:14], text[15:21]} {
		if n[i], ok = digits(part); !ok {
			return 0, bad
		}
	}
	days, hours, minutes, seconds, micros := n[0], n[1], n[2], n[3], n[4]
	if hours > 23 || minutes > 59 || seconds > 59 || days > math.MaxInt64/int(24*time.Hour)-1 {
		return 0, bad
	}
	return time.Duration(days)*24*time.Hour + time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute +
		time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond, nil
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
