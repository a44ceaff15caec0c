//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// table returns the results in Markdown, with a column for each number of VMs.
func table(all []*result) string {
	var b strings.Builder
	row := func(title string, cell func(*result) string) {
		fmt.Fprintf(&b, "| %s |", title)
		for _, r := range all {
			fmt.Fprintf(&b, " %s |", cell(r))
		}
		b.WriteString("\n")
	}
	row("VMs", func(r *result) string { return fmt.Sprint(r.vms) })
	b.WriteString(strings.Repeat("|---", len(all)+1) + "|\n")
	row("Series", func(r *result) string { return fmt.Sprint(r.series[exporterVariant]) })
	for _, v := range variants() {
		row(v.title+", ms", func(r *result) string { return newSpread(r.cpu[v.name]).String() })
	}
	row("Exporter alone, ms", func(r *result) string { return newSpread(r.alone()).String() })
	row("Exporter alone, µs per series", func(r *result) string {
		series := float64(r.series[exporterVariant])
		return newSpread(each(r.alone(), func(_ int, v float64) float64 { return v * 1000 / series })).String()
	})
	row("**Exporter alone / const metrics**", func(r *result) string {
		return newSpread(each(r.alone(), func(i int, v float64) float64 { return v / r.cpu[constVariant][i] })).String()
	})
	row("Time from start to first response, ms", func(r *result) string { return newSpread(r.firstAnswer).String() })
	row(fmt.Sprintf("Resident memory after %d scrapes, MB", scrapesBeforeMemory),
		func(r *result) string { return fmt.Sprintf("%.0f", r.memory) })
	return b.String()
}

// alone returns the CPU time of the exporter without that of the simulated host, by round.
func (r *result) alone() []float64 {
	return each(r.cpu[exporterVariant], func(i int, v float64) float64 { return v - r.cpu[hostVariant][i] })
}

func each(values []float64, f func(i int, v float64) float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = f(i, v)
	}
	return out
}

// spread describes values by their minimum and quartiles.
type spread struct{ least, lower, median, upper float64 }

func newSpread(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	at := func(share float64) float64 { // between neighbors in proportion
		position := share * float64(len(sorted)-1)
		i := int(position)
		next := sorted[min(i+1, len(sorted)-1)]
		return sorted[i] + (next-sorted[i])*(position-float64(i))
	}
	return spread{sorted[0], at(0.25), at(0.5), at(0.75)}
}

// String returns the median and, in brackets, the minimum and the quartiles.
func (s spread) String() string {
	return fmt.Sprintf("%s (%s, %s–%s)", short(s.median), short(s.least), short(s.lower), short(s.upper))
}

// short returns a number with two digits or more, and no more decimals than that needs.
func short(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
