package admin

import (
	"cmp"
	"context"
	"flag"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var update = flag.Bool("update", false, "write the expected files")

// roleUsers are users with the roles viewer to owner, in this order. Their rules have destructive: true.
var roleUsers = []string{"vic", "olga", "fred", "omar"}

// side is a relationship of a VM on a host. The test puts it into each state. The file has a column for each side.
type side struct {
	name, what string
	host       string
	vm         int
	link       msvm.Link
	states     []msvm.ReplicationState // nil for all except disabled
	// like is the name of a side that differs only in the condition that setUp creates. The file has no column for
	// such a side, only the differences.
	like  string
	setUp func(*testEnv) error
}

var sides = []side{
	{name: "primary", what: "a VM of mode primary", host: "HV01", vm: vmReplicating, link: msvm.Primary},
	{name: "replica", what: "a VM of mode replica without an extended relationship", host: "HV01", vm: vmInbound, link: msvm.Primary},
	{name: "middle", what: "a VM of mode replica with an extended relationship in state 3", host: "HV01", vm: vmExtended, link: msvm.Primary},
	{name: "onward", what: "the extended relationship of such a VM; its primary relationship is in state 3", host: "HV01", vm: vmExtended, link: msvm.Extended},
	{name: "third", what: "a VM of mode extended_replica", host: "HV03", vm: vmExtended, link: msvm.Primary},
	{
		name: "none", what: "a VM of mode none", host: "HV01", vm: vmStandalone, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Disabled},
	},
	{
		name: "end", what: "the extended relationship of a VM that has none", host: "HV01", vm: vmInbound,
		link:   msvm.Extended,
		states: []msvm.ReplicationState{msvm.Disabled},
	},
	{
		name: "another VM resynchronizes", like: "primary", host: "HV01", vm: vmReplicating, link: msvm.Primary,
		states: []msvm.ReplicationState{
			msvm.Suspended, msvm.Critical, msvm.WaitingToStartResynchronization,
			msvm.Resynchronizing, msvm.ResynchronizationSuspended,
		},
		setUp: setState("HV01", vmSuspended, msvm.Primary, msvm.Resynchronizing),
	},
	{
		name: "no replication has completed yet", like: "replica", host: "HV02", vm: vmNotStarted, link: msvm.Primary,
		states: []msvm.ReplicationState{
			msvm.WaitingToCompleteInitialReplication, msvm.Replicating,
			msvm.DiskUpdateInProgress,
		},
	},
	{
		name: "it has a test VM that is off", like: "replica", host: "HV01", vm: vmWithTestVM, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Replicating, msvm.Recovered},
	},
	{
		name: "it has a test VM that is on", like: "replica", host: "HV01", vm: vmWithTestVM, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Replicating, msvm.Recovered},
		setUp:  func(env *testEnv) error { return env.world.SetPower(env.testVMOf("HV01", vmWithTestVM), "HV01", true) },
	},
	{
		name: "its extended relationship is in state 4", like: "middle", host: "HV01", vm: vmExtended, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Replicating, msvm.Recovered, msvm.Committed, msvm.FailoverInProgress},
		setUp:  setState("HV01", vmExtended, msvm.Extended, msvm.SyncedReplicationComplete),
	},
	{
		name: "its primary relationship is in state 5", like: "onward", host: "HV01", vm: vmExtended, link: msvm.Extended,
		states: []msvm.ReplicationState{
			msvm.Replicating, msvm.SyncedReplicationComplete,
			msvm.WaitingToStartResynchronization,
		},
		setUp: setState("HV01", vmExtended, msvm.Primary, msvm.Recovered),
	},
}

// setState returns a function that sets the state of a relationship.
func setState(host string, vm int, link msvm.Link, state msvm.ReplicationState) func(*testEnv) error {
	return func(env *testEnv) error {
		return env.world.SetState(host, msvm.Key{VM: env.vms[vm], Link: link}, state)
	}
}

// all returns the states of the side.
func (s side) all() []msvm.ReplicationState {
	all := s.states
	if all == nil {
		for n := range msvm.ReplicationStates()[1:] {
			all = append(all, msvm.ReplicationState(n+1))
		}
	}
	return all
}

// statesWithVMOn are the states that are also tested with the VM on, if it can be turned on: those of actions that need
// the VM off, and those in which a replica can run.
var statesWithVMOn = []msvm.ReplicationState{
	msvm.Disabled, msvm.Replicating, msvm.Recovered, msvm.Committed, msvm.FailoverInProgress, msvm.DiskUpdateInProgress,
}

// situation is the state of a side and the power of its VM.
type situation struct {
	state msvm.ReplicationState
	on    bool
}

// The result of a request is the slug of a problem, or one of these.
const (
	executed          = ""
	executedConfirmed = "!" // with a confirmation
	invalidState      = "invalid-state"
	forbidden         = "forbidden"
)

// responseMatrix has the results of the requests about a side.
type responseMatrix struct {
	*testEnv
	host, vm string // name of the host and of the VM
	offset   int64  // end of the part of the audit log that was checked
	rows     []string
	results  map[string]map[situation]string // results for the owner, by row
	refused  map[string]map[string]bool      // whether the policy refuses, by row and user
}

// The result of every action and method, for every role and in every state, is the one in the file, which a person has
// reviewed. An accepted request makes exactly one call, with an audit record before and after it. A refused request
// makes none. Every action and method is accepted in some situation.
func TestResponseMatrix(t *testing.T) {
	all := make([]*responseMatrix, len(sides)+1)
	t.Run("sides", func(t *testing.T) {
		for i, s := range sides {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				all[i] = runSide(t, s)
			})
		}
		t.Run("the host", func(t *testing.T) {
			t.Parallel()
			all[len(sides)] = runHost(t)
		})
	})
	if t.Failed() || slices.Contains(all, nil) { // with -run some sides are skipped
		return
	}
	for _, name := range actionAndMethodNames() {
		if !slices.ContainsFunc(all, func(env *responseMatrix) bool { return env.everExecuted(name) }) {
			t.Errorf("%s is accepted in no situation", name)
		}
	}
	got := formatMatrix(t, all)
	file := filepath.Join("testdata", "matrix.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, after := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(before), len(after)) {
		if lineAt(before, i) != lineAt(after, i) {
			t.Fatalf("line %d differs; go test ./admin -run TestResponseMatrix -update writes the file:\n%s\nwant\n%s", i+1,
				lineAt(after, i), lineAt(before, i))
		}
	}
}

func newResponseMatrix(t *testing.T, host string) *responseMatrix {
	t.Helper()
	env := newTestEnvWith(t, 21, []string{host}, nil)
	// The state of the host never changes, because no call reaches it.
	env.hosts[host].pool.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{}, nil
	}
	return &responseMatrix{
		testEnv: env, host: host, results: map[string]map[situation]string{},
		refused: map[string]map[string]bool{},
	}
}

func runSide(t *testing.T, s side) *responseMatrix {
	t.Helper()
	env := newResponseMatrix(t, s.host)
	env.vm = env.vmName(s.host, s.vm)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	if s.setUp != nil {
		if err := s.setUp(env.testEnv); err != nil {
			t.Fatal(err)
		}
	}
	asked := env.requestsAbout(s)
	for turn, state := range s.all() {
		if state != msvm.Disabled {
			if err := setState(s.host, s.vm, s.link, state)(env.testEnv); err != nil {
				t.Fatal(err)
			}
		}
		for _, on := range []bool{false, true} {
			if on && !slices.Contains(statesWithVMOn, state) || env.world.SetPower(env.vms[s.vm], s.host, on) != nil {
				continue
			}
			for _, a := range asked {
				env.runRequest(a, situation{state, on}, turn)
			}
		}
	}
	return env
}

func runHost(t *testing.T) *responseMatrix {
	t.Helper()
	env := newResponseMatrix(t, "HV01")
	for _, a := range env.requestsAboutHost() {
		for turn := range roleUsers[1:] { // there is only one situation
			env.runRequest(a, situation{}, turn)
		}
	}
	return env
}

// runRequest sends a request as the owner and as other users. They get the same result or are refused by the policy.
// All other users send the request when it is executed for the first time. After that one of them does, in turn.
func (env *responseMatrix) runRequest(a matrixRequest, s situation, turn int) {
	env.Helper()
	answer := env.send("omar", a)
	first := isExecuted(answer) && !env.everExecuted(a.row)
	if env.results[a.row] == nil {
		env.rows = append(env.rows, a.row)
		env.results[a.row], env.refused[a.row] = map[situation]string{}, map[string]bool{}
	}
	env.results[a.row][s] = answer
	others := roleUsers[:len(roleUsers)-1]
	if !first {
		others = others[turn%len(others):][:1]
	}
	for _, user := range others {
		got := env.send(user, a)
		was, known := env.refused[a.row][user]
		if known && was != (got == forbidden) || got != forbidden && got != answer {
			env.Errorf("%s in %v: the result for %s is %q, for the owner %q", a.row, s, user, got, answer)
		}
		env.refused[a.row][user] = got == forbidden
	}
}

func isExecuted(answer string) bool { return answer == executed || answer == executedConfirmed }

// everExecuted reports whether an action or method was executed.
func (env *responseMatrix) everExecuted(name string) bool {
	for row, results := range env.results {
		if of, _, _ := strings.Cut(row, " "); of == name &&
			slices.ContainsFunc(slices.Collect(maps.Values(results)), isExecuted) {
			return true
		}
	}
	return false
}

// send sends a request, and confirms it if necessary. It checks that calls and audit records match the result.
func (env *responseMatrix) send(user string, a matrixRequest) string {
	env.Helper()
	calls := env.hosts[env.host].pool.callCount()
	answer := executed
	r := env.request(env.host, user, http.MethodPost, a.path, a.payload)
	if r.slug() == "confirmation-required" {
		answer = executedConfirmed
		_, env.offset = env.auditRecordsFrom(env.host, env.offset)
		confirmation := object{
			"confirmation_token": r.json["confirmation_token"], "reason": "a test",
			"vm_name": cmp.Or(a.vm, env.host), "max_data_loss_seconds": 1e9, "accept_unknown_loss": true,
			"old_primary_is_off": true,
		}
		maps.Copy(confirmation, a.payload)
		r = env.request(env.host, user, http.MethodPost, a.path, confirmation)
	}
	made := env.hosts[env.host].pool.callCount() - calls
	var events []string
	lines, end := env.auditRecordsFrom(env.host, env.offset)
	env.offset = end
	for _, line := range lines {
		events = append(events, string(line.Event))
	}
	wantCalls, wantEvents := 1, "intent job outcome"
	if r.code >= http.StatusMultipleChoices {
		answer = cmp.Or(r.slug(), r.String())
		wantCalls, wantEvents = 0, "refused"
	}
	if strings.Contains(a.path, "/methods/Get") { // reading is not audited, but a refusal can be
		events = slices.DeleteFunc(events, func(e string) bool { return e == "refused" })
		wantCalls, wantEvents = 0, ""
	}
	if got := strings.Join(events, " "); made != wantCalls || got != wantEvents {
		env.Errorf("%s %s by %s: got %s, %d calls and audit records %q; want %d calls and %q",
			env.host, a.path, user, r, made, got, wantCalls, wantEvents)
	}
	return answer
}
