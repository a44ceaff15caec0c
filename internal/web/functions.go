package web

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// functions returns the functions of the templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"ago":      ago,
		"bytes":    formatBytes,
		"cmdlet":   cmdlet,
		"duration": formatDuration,
		"ratio":    lagRatio,
		"number": func(n *float64) string {
			if n == nil {
				return ""
			}
			return strconv.FormatFloat(*n, 'f', 0, 64)
		},
		"seconds": func(d *time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) },
		"time":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"unix": func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return strconv.FormatInt(t.Unix(), 10)
		},
		"values": values,
		"words":  func(name string) string { return strings.ReplaceAll(name, "_", " ") },
	}
}

// ago returns the time between two times in words. It is "never" for the zero time.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	return formatDuration(&d) + " ago"
}

// formatDuration returns a duration with its two largest units, "unknown" for nil.
func formatDuration(d *time.Duration) string {
	if d == nil {
		return "unknown"
	}
	s := int64(d.Round(time.Second) / time.Second)
	units := []struct {
		seconds int64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}
	for i, u := range units[:3] {
		if s < u.seconds {
			continue
		}
		text := fmt.Sprintf("%d %s", s/u.seconds, u.name)
		if next := units[i+1]; s%u.seconds >= next.seconds {
			text += fmt.Sprintf(" %d %s", s%u.seconds/next.seconds, next.name)
		}
		return text
	}
	return fmt.Sprintf("%d s", s)
}

// formatBytes returns a number of bytes in binary units, "unknown" for nil.
func formatBytes(n *float64) string {
	if n == nil {
		return "unknown"
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := *n, 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, units[i])
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// lagRatio returns a lag in objectives, at most 2, for a bar whose middle is the objective.
func lagRatio(r *relationship) string {
	return strconv.FormatFloat(min(2, float64(*r.Lag)/float64(*r.Objective)), 'f', 2, 64)
}

// cmdlet returns a command for PowerShell on a VM. Names stand in single quotation marks, in which PowerShell replaces
// nothing.
func cmdlet(command, vmName string, r *relationship) string {
	name, parameters, _ := strings.Cut(command, " ")
	quoted := "'" + strings.ReplaceAll(vmName, "'", "''") + "'"
	line := strings.TrimSpace(name + " -VMName " + quoted + " " + parameters)
	if r.Name == string(msvm.Extended) {
		line += " -ReplicationRelationshipType Extended"
	}
	return line
}

// value is a series as a page shows it: the metric, its further labels, and the value.
type value struct{ Name, Labels, Value string }

// values returns all series of a VM or of a relationship, by name. Of a state set it has the current state only.
func values(s series) []value {
	var all []value
	for _, name := range slices.Sorted(maps.Keys(s)) {
		for _, x := range s[name] {
			var labels []string
			for _, l := range slices.Sorted(maps.Keys(x.labels)) {
				if l != "vm" && l != "vm_id" && l != "relationship" {
					labels = append(labels, l+"="+strconv.Quote(x.labels[l]))
				}
			}
			if x.value == 0 && isStateSet(name) {
				continue
			}
			all = append(all, value{name, strings.Join(labels, ", "), strconv.FormatFloat(x.value, 'f', -1, 64)})
		}
	}
	slices.SortStableFunc(all, func(a, b value) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Labels, b.Labels))
	})
	return all
}

// isStateSet reports whether the series of a metric are one for each state, of which one is 1.
func isStateSet(name string) bool {
	switch name {
	case "state", "health", "mode", "failover_type", "last_replication_type":
		return true
	}
	return false
}
