package admin

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var update = flag.Bool("update", false, "write the expected files anew")

// roles are users by the role that they have, from the least, destructive all.
var roles = []string{"vic", "olga", "fred", "omar"}

// side is a relationship of a VM on a host, which is put into one state after the
// other. A column of the file is a side.
type side struct {
	name, what string
	host       string
	vm         int
	link       msvm.Link
	states     []msvm.ReplicationState // nil for all in which something replicates
	// like is the side that it is like but for what is so beside it. The file has
	// what that changes, and no column.
	like   string
	beside func(*testEnv) error
}

var sides = []side{
	{name: "primary", what: "a VM of mode primary", host: "HV01", vm: vmReplicating, link: msvm.Primary},
	{name: "replica", what: "a VM of mode replica that is not replicated on", host: "HV01", vm: vmInbound, link: msvm.Primary},
	{name: "middle", what: "a VM of mode replica that is replicated on; its extended relationship is in 3", host: "HV01", vm: vmExtended, link: msvm.Primary},
	{name: "onward", what: "the extended relationship of such a VM; its primary one is in 3", host: "HV01", vm: vmExtended, link: msvm.Extended},
	{name: "third", what: "a VM of mode extended_replica", host: "HV03", vm: vmExtended, link: msvm.Primary},
	{
		name: "none", what: "a VM of mode none", host: "HV01", vm: vmStandalone, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Disabled},
	},
	{
		name: "end", what: "the extended relationship of a VM that is not replicated on", host: "HV01", vm: vmInbound, link: msvm.Extended,
		states: []msvm.ReplicationState{msvm.Disabled},
	},
	{
		name: "another VM resynchronizes", like: "primary", host: "HV01", vm: vmReplicating, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Suspended, msvm.Critical, msvm.WaitingToStartResynchronization, msvm.Resynchronizing, msvm.ResynchronizationSuspended},
		beside: put("HV01", vmSuspended, msvm.Primary, msvm.Resynchronizing),
	},
	{
		name: "nothing was ever replicated", like: "replica", host: "HV02", vm: vmNotStarted, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.WaitingToCompleteInitialReplication, msvm.Replicating, msvm.DiskUpdateInProgress},
	},
	{
		name: "it has a test VM, which is off", like: "replica", host: "HV01", vm: vmWithTestVM, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Replicating, msvm.Recovered},
	},
	{
		name: "it has a test VM, which is on", like: "replica", host: "HV01", vm: vmWithTestVM, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Replicating, msvm.Recovered},
		beside: func(env *testEnv) error { return env.world.SetPower(env.testVM("HV01", vmWithTestVM), "HV01", true) },
	},
	{
		name: "its extended relationship is in 4", like: "middle", host: "HV01", vm: vmExtended, link: msvm.Primary,
		states: []msvm.ReplicationState{msvm.Replicating, msvm.Recovered, msvm.Committed, msvm.FailoverInProgress},
		beside: put("HV01", vmExtended, msvm.Extended, msvm.SyncedReplicationComplete),
	},
	{
		name: "its primary relationship is in 5", like: "onward", host: "HV01", vm: vmExtended, link: msvm.Extended,
		states: []msvm.ReplicationState{msvm.Replicating, msvm.SyncedReplicationComplete, msvm.WaitingToStartResynchronization},
		beside: put("HV01", vmExtended, msvm.Primary, msvm.Recovered),
	},
}

func put(host string, vm int, link msvm.Link, state msvm.ReplicationState) func(*testEnv) error {
	return func(env *testEnv) error {
		return env.world.SetState(host, msvm.Key{VM: env.vms[vm], Link: link}, state)
	}
}

// all are the states of the side.
func (s side) all() []msvm.ReplicationState {
	all := s.states
	if all == nil {
		for n := range msvm.ReplicationStates()[1:] {
			all = append(all, msvm.ReplicationState(n+1))
		}
	}
	return all
}

// running are the states in which the VM is tried on, too, if it can be turned on:
// those of what needs it off, and those in which a replica runs.
var running = []msvm.ReplicationState{
	msvm.Disabled, msvm.Replicating, msvm.Recovered, msvm.Committed, msvm.FailoverInProgress, msvm.DiskUpdateInProgress,
}

// situation is how a side stands.
type situation struct {
	state msvm.ReplicationState
	on    bool
}

// Answers are slugs of problems, or these.
const (
	done      = ""
	doneTwice = "!" // in two steps
	notNow    = "invalid-state"
	mayNot    = "forbidden"
)

// matrix is what was answered about a side.
type matrix struct {
	*testEnv
	host, vm string // where, and the VM's name
	offset   int64  // how far the audit log was read
	rows     []string
	answers  map[string]map[situation]string // to the owner, by row
	refused  map[string]map[string]bool      // who may not, by row and user
}

// Every verb and every method for every role in every state: the answers are those
// of the file, which a person has read. Whoever is let through makes one call with
// its intent before and its outcome after, and nobody else makes any. None of them
// is refused everywhere.
func TestMatrix(t *testing.T) {
	all := make([]*matrix, len(sides)+1)
	t.Run("of", func(t *testing.T) {
		for i, s := range sides {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				all[i] = askSide(t, s)
			})
		}
		t.Run("the host", func(t *testing.T) {
			t.Parallel()
			all[len(sides)] = askHost(t)
		})
	})
	if t.Failed() || slices.Contains(all, nil) { // some were not to be run
		return
	}
	for _, name := range verbsAndMethods() {
		if !slices.ContainsFunc(all, func(env *matrix) bool { return env.everDone(name) }) {
			t.Errorf("%s is let through in no situation", name)
		}
	}
	got := written(t, all)
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
		if at(before, i) != at(after, i) {
			t.Fatalf("line %d differs; go test ./admin -run TestMatrix -update writes the file:\n%s\nwant\n%s", i+1, at(after, i), at(before, i))
		}
	}
}

func newMatrix(t *testing.T, host string) *matrix {
	t.Helper()
	env := newTestEnvWith(t, 21, []string{host}, nil)
	env.hosts[host].pool.answers = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{}, nil } // the world stays as it is
	return &matrix{testEnv: env, host: host, answers: map[string]map[situation]string{}, refused: map[string]map[string]bool{}}
}

func askSide(t *testing.T, s side) *matrix {
	t.Helper()
	env := newMatrix(t, s.host)
	env.vm = env.name(s.host, s.vm)
	env.clock.Advance(2 * time.Hour) // the resynchronization of the world has ended
	if s.beside != nil {
		if err := s.beside(env.testEnv); err != nil {
			t.Fatal(err)
		}
	}
	asked := env.asks(s)
	for turn, state := range s.all() {
		if state != msvm.Disabled {
			if err := put(s.host, s.vm, s.link, state)(env.testEnv); err != nil {
				t.Fatal(err)
			}
		}
		for _, on := range []bool{false, true} {
			if on && !slices.Contains(running, state) || env.world.SetPower(env.vms[s.vm], s.host, on) != nil {
				continue
			}
			for _, a := range asked {
				env.ask(a, situation{state, on}, turn)
			}
		}
	}
	return env
}

func askHost(t *testing.T) *matrix {
	t.Helper()
	env := newMatrix(t, "HV01")
	for _, a := range env.asksOfHost() {
		for turn := range roles[1:] { // there is one situation for all turns
			env.ask(a, situation{}, turn)
		}
	}
	return env
}

// ask is what is asked for, a row of the file.
type ask struct {
	row, path string
	payload   object
	vm        string // name of the VM, to confirm it
}

// asks are every verb, and every method that is about the side.
func (env *matrix) asks(s side) []ask {
	env.Helper()
	var all []ask
	for _, v := range operation.Actions() {
		payload := object{}
		if v.Name == "import-initial-replica" {
			payload["parameters"] = object{"InitialReplicationImportLocation": `D:\import`}
		}
		all = append(all, ask{v.Name, env.replica(s.vm, string(s.link)) + "/actions/" + v.Name, payload, env.vm})
	}
	mode := env.get(s.host, "vic", env.replica(s.vm, "primary")).json["mode"]
	for _, method := range msvm.Methods() {
		if !aboutVM(method) || mode == "replica" && !chosen(method, s.link) {
			continue
		}
		vm, name, link := env.vms[s.vm], operation.MethodPath(method), s.link
		if method.Name == msvm.MethodChangeReplicationModeToPrimary {
			link = msvm.Extended
		}
		a := ask{name, apiMethods + "/" + name, env.payload(method, vm, link), env.vm}
		parameters := a.payload["parameters"].(object)
		switch method.Name {
		case "SetAuthorizationEntry":
			parameters["AuthorizationEntry"] = env.entry()
		case msvm.MethodDestroySystem:
			if test := env.testVM(s.host, s.vm); test != "" {
				parameters["AffectedSystem"], a.vm = test, env.vm+" - Test"
			}
		case msvm.MethodRequestReplicationStateChangeEx:
			parameters["ReplicationRelationship"] = object{"InstanceID": msvm.Key{VM: vm, Link: link}.InstanceID()}
			for _, q := range msvm.StateRequests() {
				matches := func(a operation.Action) bool {
					return a.Method == msvm.MethodRequestReplicationStateChangeEx && a.State == q.State
				}
				if !slices.ContainsFunc(operation.Actions(), matches) { // the actions have rows of their own
					other := maps.Clone(parameters)
					other["RequestedState"] = q.State
					all = append(all, ask{fmt.Sprintf("%s of %d", name, q.State), a.path, object{"target": vm, "parameters": other}, env.vm})
				}
			}
			a.row += " of 3"
		}
		all = append(all, a)
	}
	return all
}

// chosen tells whether a method is about this relationship of a replica, and not
// about its other one: most are told the VM alone.
func chosen(method msvm.Method, link msvm.Link) bool {
	for _, p := range method.In {
		if p.Class == "Msvm_ReplicationRelationship" && method.Name != msvm.MethodChangeReplicationModeToPrimary {
			return true
		}
	}
	return method.Name == "RevertFailover" || method.SendingSide == (link == msvm.Extended)
}

// aboutVM tells methods about a VM from those about the host or a job.
func aboutVM(m msvm.Method) bool {
	return m.Class == "Msvm_ComputerSystem" || slices.ContainsFunc(m.In, func(p msvm.Parameter) bool { return p.Class == "Msvm_ComputerSystem" })
}

// asksOfHost are every method that is about the host or a job.
func (env *matrix) asksOfHost() []ask {
	env.Helper()
	jobs, err := wmiquery.All[msvm.ConcreteJob](env.Context(), env.hosts[env.host].pool)
	if err != nil || len(jobs) == 0 {
		env.Fatalf("the world has %d jobs, %v", len(jobs), err)
	}
	var all []ask
	for _, method := range msvm.Methods() {
		if aboutVM(method) {
			continue
		}
		name, payload := operation.MethodPath(method), env.payload(method, "", msvm.Primary)
		there := maps.Clone(payload)
		switch {
		case method.Class == "Msvm_ConcreteJob":
			there["target"] = jobs[0].InstanceID
		case len(method.In) > 0 && method.In[0].Name == "AuthorizationEntry":
			there["parameters"] = object{"AuthorizationEntry": env.entry()}
		case method.Name == "RemoveAuthorizationEntry":
			there["parameters"] = env.entry()
		default:
			all = append(all, ask{name, apiMethods + "/" + name, payload, ""})
			continue
		}
		all = append(all, ask{name + " of what is there", apiMethods + "/" + name, there, ""}, ask{name + " of what is not", apiMethods + "/" + name, payload, ""})
	}
	return all
}

// entry names an authorization entry that the host has.
func (env *matrix) entry() object {
	env.Helper()
	return object{"AllowedPrimaryHostSystem": *env.entries(env.host)[0].AllowedPrimaryHostSystem}
}

// testVM is the test VM of a replica, "" if it has none.
func (env *testEnv) testVM(host string, vm int) string {
	env.Helper()
	tests, _ := env.get(host, "vic", env.replica(vm, "primary")).json["test_vms"].([]any)
	if len(tests) == 0 {
		return ""
	}
	return tests[0].(string)
}

// ask asks as the owner and as others, who may not or are answered the same. All of
// them do so when it is done for the first time; then they take turns.
func (env *matrix) ask(a ask, s situation, turn int) {
	env.Helper()
	answer := env.cell("omar", a)
	first := isDone(answer) && !env.everDone(a.row)
	if env.answers[a.row] == nil {
		env.rows = append(env.rows, a.row)
		env.answers[a.row], env.refused[a.row] = map[situation]string{}, map[string]bool{}
	}
	env.answers[a.row][s] = answer
	others := roles[:len(roles)-1]
	if !first {
		others = others[turn%len(others):][:1]
	}
	for _, user := range others {
		got := env.cell(user, a)
		was, known := env.refused[a.row][user]
		if known && was != (got == mayNot) || got != mayNot && got != answer {
			env.Errorf("%s in %v: %s is answered %q, the owner %q", a.row, s, user, got, answer)
		}
		env.refused[a.row][user] = got == mayNot
	}
}

func isDone(answer string) bool { return answer == done || answer == doneTwice }

// everDone tells whether a verb or a method was let through.
func (env *matrix) everDone(name string) bool {
	for row, answers := range env.answers {
		if of, _, _ := strings.Cut(row, " "); of == name && slices.ContainsFunc(slices.Collect(maps.Values(answers)), isDone) {
			return true
		}
	}
	return false
}

func verbsAndMethods() []string {
	var all []string
	for _, v := range operation.Actions() {
		all = append(all, v.Name)
	}
	for _, method := range msvm.Methods() {
		all = append(all, operation.MethodPath(method))
	}
	return all
}

// cell asks for something, in two steps if it is to be confirmed, and checks that
// calls and audit lines go with the answer.
func (env *matrix) cell(user string, a ask) string {
	env.Helper()
	calls := env.hosts[env.host].pool.callCount()
	answer := done
	r := env.do(env.host, user, http.MethodPost, a.path, a.payload)
	if r.slug() == "confirmation-required" {
		answer = doneTwice
		_, env.offset = env.auditedFrom(env.host, env.offset)
		second := object{"confirmation_token": r.json["confirmation_token"], "reason": "a test", "vm_name": cmp.Or(a.vm, env.host), "max_data_loss_seconds": 1e9, "accept_unknown_loss": true}
		maps.Copy(second, a.payload)
		r = env.do(env.host, user, http.MethodPost, a.path, second)
	}
	made := env.hosts[env.host].pool.callCount() - calls
	var events []string
	lines, end := env.auditedFrom(env.host, env.offset)
	env.offset = end
	for _, line := range lines {
		events = append(events, string(line.Event))
	}
	wantCalls, wantEvents := 1, "intent job outcome"
	if r.code >= http.StatusMultipleChoices {
		answer = cmp.Or(r.slug(), r.String())
		wantCalls, wantEvents = 0, "refused"
	}
	if strings.Contains(a.path, "/methods/Get") { // it changes nothing: refusals vmStandalone may be there
		events = slices.DeleteFunc(events, func(e string) bool { return e == "refused" })
		wantCalls, wantEvents = 0, ""
	}
	if got := strings.Join(events, " "); made != wantCalls || got != wantEvents {
		env.Errorf("%s %s by %s: %s, %d calls, audit lines %q; want %d and %q", env.host, a.path, user, r, made, got, wantCalls, wantEvents)
	}
	return answer
}
