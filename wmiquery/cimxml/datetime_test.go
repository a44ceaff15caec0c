package cimxml_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Q11: the offset is in minutes, positive or negative, or asterisks.
func TestParseAndFormatTime(t *testing.T) {
	utc := func(year int, month time.Month, day, hour, minute, second, micro int) time.Time {
		return time.Date(year, month, day, hour, minute, second, micro*1000, time.UTC)
	}
	for text, want := range map[string]time.Time{
		"20210730025715.006743-000": utc(2021, 7, 30, 2, 57, 15, 6743),
		"20261122214001.000000+000": utc(2026, 11, 22, 21, 40, 1, 0),
		"20261122214001.000000+480": utc(2026, 11, 22, 13, 40, 1, 0),
		"20261122214001.000000-300": utc(2026, 11, 23, 2, 40, 1, 0),
		"20261122214001.000000+***": utc(2026, 11, 22, 21, 40, 1, 0),
		"20261122214001.******-***": utc(2026, 11, 22, 21, 40, 1, 0),
		"20261122214001.123***+000": utc(2026, 11, 22, 21, 40, 1, 123000),
		"20261122******.******+060": utc(2026, 11, 21, 23, 0, 0, 0),
		"2026**********.******+000": utc(2026, 1, 1, 0, 0, 0, 0),
		"**************.******+***": utc(1, 1, 1, 0, 0, 0, 0),
		"16010101000000.000000-000": msvm.Never(),
		"16010101000000.000000+000": msvm.Never(),
		"16010101080000.000000+480": msvm.Never(),
		"16010101000000.000000+480": utc(1600, 12, 31, 16, 0, 0, 0),
		"20240229235959.999999-000": utc(2024, 2, 29, 23, 59, 59, 999999),
		"99991231235959.999999-000": utc(9999, 12, 31, 23, 59, 59, 999999),
	} {
		if got, err := cimxml.ParseTime(text); err != nil || got != want {
			t.Errorf("%s: got %v, error %v; want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{
		"", "20261122214001", "20261122214001.000000-00", "20261122214001.000000-0000", "00000000010000.000000:000",
		"20261322214001.000000-000", "20261132214001.000000-000", "20230229000000.000000-000", "20261122244001.000000-000",
		"20261122216001.000000-000", "20261122214060.000000-000", "20261122214001,000000-000", "20261122214001.+00000-000",
		"20261122214001.000000 000", "20261122214001.000000--00", "20261122214001.000000+0*0", "2026112221400a.000000-000",
		"00000101000000.000000+000", "00010101000000.000000+001", "99991231235959.000000-001", "****1122214001.000000-000",
		"202*1122214001.000000-000", "20**1122214001.000000-000", "2026112*******.******-000", "20261122******.000000-000",
		"20261122214001.000000+*00", "20261122214001.000000-**0", "20261122214001.000000+00*",
		"20261122214001*******-000", "20261122214001.000000+1 0", "20261122214001.000000+0x1",
		"20261122*******.*****-000", "２０26112221.000000-000", "2026-11-22T21:40:01.000000", "20261122214001.000000+00\x00",
	} {
		if got, err := cimxml.ParseTime(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{msvm.Never(), "16010101000000.000000-000"},
		{utc(2026, 11, 22, 21, 40, 1, 7).Add(999), "20261122214001.000007-000"},
		{utc(2026, 11, 22, 21, 40, 1, 0).In(time.FixedZone("", 8*3600)), "20261122214001.000000-000"},
		{utc(0, 12, 31, 0, 0, 0, 0), "00010101000000.000000-000"},
		{utc(-5, 1, 1, 0, 0, 0, 0), "00010101000000.000000-000"},
		{utc(10000, 1, 1, 0, 0, 0, 0), "99991231235959.999999-000"},
		{time.Time{}, "00010101000000.000000-000"},
	} {
		if got := cimxml.FormatTime(c.at); got != c.want {
			t.Errorf("%v: got %s, want %s", c.at, got, c.want)
		}
	}
}

// Q11: a time of day is an interval.
func TestParseAndFormatInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"00000000000000.000000:000": 0,
		"00000000010000.000000:000": time.Hour,
		"00000000183000.000000:000": 18*time.Hour + 30*time.Minute,
		"00000002235959.000001:000": 72*time.Hour - time.Second + time.Microsecond,
		"00000001******.******:000": 24 * time.Hour,
		"0000000012****.******:000": 12 * time.Hour,
		"**************.******:000": 0,
		"00106751234716.854775:000": math.MaxInt64 / 1000 * 1000,
	} {
		if got, err := cimxml.ParseInterval(text); err != nil || got != want {
			t.Errorf("%s: got %v, error %v; want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{
		"", "00000000000000.000000+000", "00000000000000.000000:001", "00000000000000.000000:***", "00000000240000.000000:000",
		"00000000006000.000000:000", "00000000000060.000000:000", "00000000000000,000000:000", "-0000001000000.000000:000",
		"000000000000+1.000000:000", "00000000000000.00000_:000", "0000****000000.000000:000", "000000**......*.*****:000",
		"0000**********.******:000", "00106751234716.854776:000", "99999999235959.999999:000", "0000000000000０.00000:000",
	} {
		if got, err := cimxml.ParseInterval(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
	if got, err := cimxml.FormatInterval(math.MaxInt64); err != nil || got != "00106751234716.854775:000" {
		t.Errorf("longest interval: got %s, error %v", got, err)
	}
	if got, err := cimxml.FormatInterval(-1); err == nil {
		t.Errorf("negative interval: got %s, want an error", got)
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"20261122214001.000000+480", "16010101000000.000000-000", "**************.******+***",
		"20261122******.******-999", "99991231235959.999999+001", "00010101000000.000000-000",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := cimxml.ParseTime(s)
		if err != nil {
			return
		}
		if again, err := cimxml.ParseTime(cimxml.FormatTime(at)); err != nil || again != at {
			t.Fatalf("%q: %v is parsed after formatting as %v, error %v", s, at, again, err)
		}
		if s[21:] == "-000" && !strings.Contains(s, "*") && cimxml.FormatTime(at) != s {
			t.Fatalf("%q is formatted after parsing as %s", s, cimxml.FormatTime(at))
		}
	})
}

func FuzzInterval(f *testing.F) {
	for _, s := range []string{"00000000183000.000000:000", "00106751234716.854775:000", "00000001******.******:000", "99999999235959.999999:000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := cimxml.ParseInterval(s)
		if err != nil {
			return
		}
		text, err := cimxml.FormatInterval(d)
		if err != nil || (!strings.Contains(s, "*") && text != s) {
			t.Fatalf("%q: %v is formatted as %s, error %v", s, d, text, err)
		}
		if again, err := cimxml.ParseInterval(text); err != nil || again != d {
			t.Fatalf("%q: %v is parsed after formatting as %v, error %v", s, d, again, err)
		}
	})
}
