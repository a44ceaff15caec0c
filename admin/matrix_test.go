package admin

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var update = flag.Bool("update", false, "write the expected files anew")

// roles are users by the role that they have, destructive all.
var roles = []string{"vic", "olga", "fred", "omar"}

// matrix is a lab and how far its audit log was read.
type matrix struct {
	*lab
	offset int64
}

// Every verb and every method for every role in every state: the answers are those of the file, which
// a person has read; whoever is let through makes one call with its intent before
// and its outcome after, and nobody else makes any.
func TestMatrix(t *testing.T) {
	l := &matrix{lab: newLab(t)}
	var table strings.Builder
	fmt.Fprintln(&table, "# host mode state power relationship tests verb or method: viewer operator failover owner; of what destroys, the answer of the second step")
	for _, host := range []string{"HV01", "HV02"} {
		spy := l.hosts[host].pool
		spy.answers = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{}, nil } // the world stays as it is
		seenBefore := map[string]bool{}
		l.offset = 0
		for _, x := range l.get(host, "vic", apiReplicas).json["replicas"].([]any) {
			r := x.(m)
			vm := slices.Index(l.vms, r["vm_id"].(string))
			if vm < 0 {
				continue
			}
			link := r["relationship"].(string)
			stands := func(power any) string {
				return fmt.Sprint(host, " ", r["mode"], " ", r["state"], " ", power, " ", link, " tests:", len(anys(r["test_vms"])))
			}
			if id := stands(r["power"]); !seenBefore[id] { // else like one before
				seenBefore[id] = true
				l.verbRows(&table, id, host, vm, link)
				for _, method := range msvm.Methods() {
					name := pathName(method)
					fmt.Fprintf(&table, "%s %s:", id, name)
					l.row(&table, host, vm, "/api/v1/methods/"+name, l.payload(method, l.vms[vm], msvm.Link(link)))
				}
			}
			// And with the other power, where replication lets it be turned on.
			other := map[any]string{"on": "off", "off": "on"}[r["power"]]
			if id := stands(other); !seenBefore[id] && l.world.SetPower(l.vms[vm], host, other == "on") == nil {
				seenBefore[id] = true
				l.verbRows(&table, id, host, vm, link)
				if err := l.world.SetPower(l.vms[vm], host, other != "on"); err != nil {
					t.Fatal(err)
				}
			}
		}
		spy.answers = nil
	}
	file := filepath.Join("testdata", "matrix.txt")
	if *update {
		if err := os.WriteFile(file, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, after := strings.Split(string(want), "\n"), strings.Split(table.String(), "\n")
	for i := range max(len(before), len(after)) {
		if i >= len(before) || i >= len(after) || before[i] != after[i] {
			t.Fatalf("line %d differs; go test ./admin -run TestMatrix -update writes the file:\n%s\nwant\n%s", i+1, at(after, i), at(before, i))
		}
	}
}

// verbRows are the rows of the verbs.
func (l *matrix) verbRows(table io.Writer, id, host string, vm int, link string) {
	l.Helper()
	for _, v := range verbs() {
		fmt.Fprintf(table, "%s %s:", id, v.name)
		payload := m{}
		if v.name == "import-initial-replica" {
			payload["parameters"] = m{"InitialReplicationImportLocation": `D:\import`}
		}
		l.row(table, host, vm, l.replica(vm, link)+"/actions/"+v.name, payload)
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

func anys(x any) []any {
	all, _ := x.([]any)
	return all
}

// row writes the answers to each role.
func (l *matrix) row(table io.Writer, host string, vm int, path string, payload m) {
	l.Helper()
	for _, user := range roles {
		fmt.Fprintf(table, " %d", l.cell(host, user, vm, path, payload))
	}
	fmt.Fprintln(table)
}

// cell asks for something, in two steps if it is to be confirmed, and checks that
// calls and audit lines go with the answer.
func (l *matrix) cell(host, user string, vm int, path string, payload m) int {
	l.Helper()
	calls := l.hosts[host].pool.called()
	r := l.do(host, user, http.MethodPost, path, payload)
	if r.slug() == "confirmation-required" {
		second := l.second(host, vm, r, payload)
		_, l.offset = l.auditedFrom(host, l.offset)
		r = l.do(host, user, http.MethodPost, path, second)
	}
	made := l.hosts[host].pool.called() - calls
	var events []string
	lines, end := l.auditedFrom(host, l.offset)
	l.offset = end
	for _, line := range lines {
		events = append(events, string(line.Event))
	}
	wantCalls, wantEvents := 0, "refused"
	if r.code < 300 {
		wantCalls, wantEvents = 1, "intent job outcome"
	}
	if strings.Contains(path, "/methods/Get") { // it changes nothing: refusals alone may be there
		wantCalls, events = 0, slices.DeleteFunc(events, func(e string) bool { return e == "refused" })
		wantEvents = ""
	}
	if got := strings.Join(events, " "); made != wantCalls || got != wantEvents {
		l.Errorf("%s %s by %s: %s, %d calls, audit lines %q; want %d and %q", host, path, user, r, made, got, wantCalls, wantEvents)
	}
	return r.code
}
