//go:build !windows

package admin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const controlPage = "../docs/control.md"

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(controlPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is a block of code of the page: its language and its text.
var block = regexp.MustCompile("(?ms)^```(sh|powershell)\n(.*?)^```$")

// The runbooks are executed word for word, by bash, against two simulated hosts whose
// time flies. What they ask to be done on a host itself is done to the simulated one.
func TestRunbooks(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("the runbooks need %s: scripts/setup.sh runbooks installs it", tool)
		}
	}
	_, page, _ := strings.Cut(readPage(t), "## Runbooks")
	common := block.FindStringSubmatch(page)[2]
	sections := strings.Split(page, "<!-- runbook: ")[1:]
	ends := map[string]struct {
		from, to    string // the hosts that HV01 and HV02 are
		vm          int
		mode, state string // on the second host, in the end
		on          bool
	}{
		"planned":   {"HV01", "HV02", healthy, "primary", "replicating", true},
		"unplanned": {"HV01", "HV02", healthy, "replica", "committed", true},
		"test":      {"HV01", "HV02", healthy, "replica", "replicating", false},
		"reverse":   {"HV01", "HV02", healthy, "primary", "waiting_to_complete_initial_replication", false},
		"extended":  {"HV02", "HV01", withExtension, "primary", "replicating", false},
	}
	if len(sections) != len(ends) {
		t.Errorf("the page has %d runbooks, the test %d", len(sections), len(ends))
	}
	for _, section := range sections {
		name, text, _ := strings.Cut(section, " -->")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, ok := ends[name]
			if !ok {
				t.Fatal("the test does not know how it ends")
			}
			l := newLab(t)
			l.clock.fly(100) // jobs are remembered for five minutes, and the runbooks ask every two seconds
			vm := l.vms[want.vm]
			names := map[string]string{"HV01": want.from, "HV02": want.to}
			script := "set -euo pipefail\n" + common
			for _, b := range block.FindAllStringSubmatch(text, -1) {
				if b[1] == "powershell" {
					b[2] = l.power(b[2])
				}
				script += b[2]
			}
			hands := l.hands(vm, names)
			cmd := exec.CommandContext(t.Context(), "bash")
			cmd.Stdin = strings.NewReader(script)
			netrc := filepath.Join(filepath.Dir(l.policy), "netrc")
			l.write(netrc, fmt.Sprintf("default login omar password %q\n", password))
			cmd.Env = append(os.Environ(), "HV01="+l.hosts[want.from].http.URL, "HV02="+l.hosts[want.to].http.URL, "VM="+vm, "NETRC="+netrc, "HANDS="+hands)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			shown := l.get(want.to, "vic", l.replica(want.vm, "primary")).json
			if shown["mode"] != want.mode || shown["state"] != want.state || shown["test_vms"] != nil {
				t.Errorf("in the end it is %v %v with the test VMs %v, want %s %s", shown["mode"], shown["state"], shown["test_vms"], want.mode, want.state)
			}
			if on, err := l.world.IsOn(vm, want.to); err != nil || on != want.on {
				t.Errorf("the VM on %s runs: %v, %v; want %v", want.to, on, err, want.on)
			}
		})
	}
}

// power makes a call of the test's hands of what is done in PowerShell on a host.
func (l *lab) power(text string) string {
	l.Helper()
	m := regexp.MustCompile(`\A# (HV0[12])\n(Start|Stop)-VM\n\z`).FindStringSubmatch(text)
	if m == nil {
		l.Fatalf("the test does not know how to do this: %s", text)
	}
	return fmt.Sprintf("curl --silent --show-error --fail --data '' \"$HANDS/%s/%s\"\n", m[1], m[2])
}

// hands are those of somebody who turns VMs on and off.
func (l *lab) hands(vm string, names map[string]string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if err := l.world.SetPower(vm, names[host], what == "Start"); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	}))
	l.Cleanup(s.Close)
	return s.URL
}

// between replaces what stands between two markers of a page.
func between(page, name, text string) string {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	i, j := strings.Index(page, begin), strings.Index(page, end)
	if i < 0 || j < i {
		return ""
	}
	return page[:i+len(begin)] + text + page[j:]
}

// The page's tables of actions and of errors are those of the code.
func TestControlPage(t *testing.T) {
	var actions, errors strings.Builder
	actions.WriteString("| Action | Does | Destroys | Role | Calls | Parameters |\n|---|---|---|---|---|---|\n")
	for _, v := range verbs() {
		m := findMethod(v.method)
		fmt.Fprintf(&actions, "| `%s` | %s | %s | %s | `%s` | %s |\n", v.name, doesOf(m, v.request), m.Destroys, v.needs, m.Name, code(v.takes))
	}
	errors.WriteString("| Type | Status | |\n|---|---|---|\n")
	sorted := kinds
	slices.SortStableFunc(sorted, func(a, b kind) int { return a.status - b.status })
	for _, k := range sorted {
		fmt.Fprintf(&errors, "| `%s%s` | %d | %s |\n", typePrefix, k.slug, k.status, k.title)
	}
	page := readPage(t)
	want := between(between(page, "actions", actions.String()), "errors", errors.String())
	if *update && want != "" {
		if err := os.WriteFile(controlPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		page = want
	}
	if page != want {
		t.Errorf("%s is not what the code says; go test ./admin -run TestControlPage -update writes it", controlPage)
	}
}

func code(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = "`" + n + "`"
	}
	return strings.Join(all, ", ")
}

// fly lets the clock run, many times as fast as time.
func (c *clock) fly(times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since, c.times = time.Now(), times
}
