package admin

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
)

// The tables on the pages have everything that the code has, and nothing else.
func TestControlPagesListWhatTheCodeHas(t *testing.T) {
	s := newTestEnv(t).hosts["HV01"].server
	var routes, filters, states []string
	for _, r := range s.routes() {
		routes = append(routes, r.pattern)
	}
	for _, f := range replicaFilters() {
		filters = append(filters, f.name)
	}
	for _, state := range job.States() {
		states = append(states, string(state))
	}
	for _, tt := range []struct {
		page   string
		before []string // each table is the first one after such a text
		want   []string
	}{
		{controlPage, []string{"\n## Roles and policy\n"}, []string{
			authz.RoleViewer.String(), authz.RoleOperator.String(), authz.RoleFailover.String(), authz.RoleOwner.String(),
		}},
		{
			controlPage,
			[]string{"\nA rule is for the callers", "\nIt allows what"},
			slices.DeleteFunc(namesInSource(t, "internal/authz/*.go", `yaml:"(\w+)"`), func(name string) bool {
				return name == "rules" || name == "read_only" // not fields of a rule
			}),
		},
		{referencePage, []string{"\n## Requests\n"}, routes},
		{referencePage, []string{"\nThe body of a request"}, jsonNames(operation.Request{})},
		{
			referencePage,
			[]string{"\n## Headers\n"},
			append(namesInSource(t, "*.go", `(?:\.Get|\.Set|\.Values|WithHeader|header\w+ +=) ?\(?"([A-Z][A-Za-z-]+)"`),
				// From package problem, and read by package net/http.
				"Location", "Authorization", "Host", "Origin", "Sec-Fetch-Site"),
		},
		{referencePage, []string{"\n## List of VMs\n", "\nFilters"}, slices.Concat(
			jsonNames(replicaView{}), jsonNames(operation.TargetState{}), jsonNames(operation.DataLoss{}), filters)},
		{referencePage, []string{"\n## Jobs\n"}, states},
		{referencePage, []string{"\n## Bulk failovers\n"}, jsonNames(bulkRequest{})},
		{referencePage, []string{"\n## Metrics\n"}, metricNames(s.metrics)},
		{referencePage, []string{"\n## Audit log\n"}, namesInSource(t, "internal/audit/record.go", `Event += "(\w+)"`)},
	} {
		var got []string
		for _, before := range tt.before {
			got = append(got, firstColumn(t, tt.page, before)...)
		}
		if got, want := distinct(got), distinct(tt.want); !slices.Equal(got, want) {
			t.Errorf("%s, after %q:\nthe page has %q\nthe code has %q", tt.page, tt.before, got, want)
		}
	}
}

// firstColumn returns the names in backticks in the first column of the first table after a text.
func firstColumn(t *testing.T, page, before string) (names []string) {
	t.Helper()
	_, rest, _ := strings.Cut(readPage(t, page), before)
	_, table, found := strings.Cut(rest, "|\n|---|")
	if !found {
		t.Fatalf("%s has no table after %q", page, before)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// distinct returns the names in order, each once.
func distinct(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// namesInSource returns what a pattern finds in the source files of this package or of one below it.
func namesInSource(t *testing.T, glob, pattern string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// jsonNames returns the names of the JSON fields of a struct.
func jsonNames(v any) []string {
	return strings.Fields(strings.ReplaceAll(jsonFields(reflect.TypeOf(v)), "?", ""))
}

// metricNames returns the names of metrics, with the namespace of the exporter and their labels.
func metricNames(c prometheus.Collector) (names []string) {
	described := make(chan *prometheus.Desc, 100)
	c.Describe(described)
	close(described)
	for d := range described {
		m := regexp.MustCompile(`fqName: "test_(\w+)".* variableLabels: ({.*})}`).FindStringSubmatch(d.String())
		names = append(names, "hyperv_replica_"+m[1]+strings.TrimSuffix(strings.ReplaceAll(m[2], ",", ", "), "{}"))
	}
	return names
}
