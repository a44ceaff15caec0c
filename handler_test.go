package main

import (
	"testing"
	"time"
)

func TestScrapeTimeout(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"10":      9500 * time.Millisecond,
		"15.0":    14500 * time.Millisecond,
		"0.4":     200 * time.Millisecond, // the margin would leave nothing
		"1e300":   119500 * time.Millisecond,
		"":        4500 * time.Millisecond,
		"junk":    4500 * time.Millisecond,
		"-1":      4500 * time.Millisecond,
		"0":       4500 * time.Millisecond,
		"NaN":     4500 * time.Millisecond,
		"Inf":     4500 * time.Millisecond,
		"10s":     4500 * time.Millisecond,
		"10 20":   4500 * time.Millisecond,
		"1e-9":    1, // nothing can be done in a nanosecond, but it must not be negative
		"0x1p-10": 488281,
	} {
		if got := scrapeTimeout(header, 5*time.Second, 500*time.Millisecond); got != want {
			t.Errorf("header %q: %v, want %v", header, got, want)
		}
	}
}
