package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The state of an action for each state of the host's job.
//
// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-concretejob.md, property JobState, and
// common-utilities-for-the-virtualization-samples-v2.md for 32768.
func TestStatesOfTheHostsJob(t *testing.T) {
	for _, tt := range []struct {
		state    uint16
		want     State
		warnings bool
	}{
		{2, "running", false}, // new
		{3, "running", false}, // starting
		{4, "running", false}, // running
		{5, "running", false}, // suspended
		{6, "running", false}, // shutting down
		{7, "succeeded", false},
		{8, "cancelled", false}, // terminated
		{9, "cancelled", false}, // killed
		{10, "failed", false},   // exception
		{11, "running", false},  // service
		{12, "running", false},  // query pending
		{32767, "running", false},
		{32768, "succeeded", true}, // completed with warnings
		{32769, "running", false},
		{0, "running", false},
		{1, "running", false},
	} {
		t.Run(strconv.Itoa(int(tt.state)), func(t *testing.T) {
			tr := newTestTracker(t)
			tr.begin("a", vmA, path(jobA))
			tr.host.jobs = []msvm.ConcreteJob{row(jobA, tt.state)}
			tr.now = startTime.Add(time.Minute)
			tr.refresh()
			r := tr.get("a")
			ended := slices.Contains([]State{"succeeded", "failed", "cancelled"}, tt.want)
			if r.State != tt.want || r.Warnings != tt.warnings || r.NativeState != tt.state || (r.Ended != nil) != ended {
				t.Errorf("got %+v, want %s, warnings %v", r, tt.want, tt.warnings)
			}
			if running := len(tr.Running(vmA)) == 1; running == ended {
				t.Errorf("the VM has a running job: %v, want %v", running, !ended)
			}
			if counts := tr.CountByState(); counts[tt.want] != 1 || len(counts) != 1 {
				t.Errorf("the counts are %v", counts)
			}
			if n := len(tr.ended); (n == 1) != ended || n > 1 {
				t.Errorf("the end was reported %d times", n)
			}
		})
	}
}

// A job without a state is not known to have ended.
func TestNullStateOfTheHostsJob(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("a", vmA, path(jobA))
	tr.host.jobs = []msvm.ConcreteJob{{InstanceID: jobA, PercentComplete: new(uint16(40))}}
	tr.refresh()
	if r := tr.get("a"); r.State != Running || r.Percent == nil || *r.Percent != 40 {
		t.Errorf("got %+v", r)
	}
}

// Progress, the type and whether the job can be cancelled are those of the last read. A job that has ended cannot be
// cancelled, whatever the host says.
func TestProgressOfAJob(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("a", vmA, path(jobA))
	for _, step := range []struct {
		row         msvm.ConcreteJob
		percent     any
		cancellable bool
		scheduled   bool
		jobType     string
	}{
		{
			msvm.ConcreteJob{
				JobState: new(msvm.JobState(2)), Cancellable: new(true),
				ScheduledStartTime: new(startTime.Add(time.Hour)), JobType: new(msvm.JobType(107)),
			},
			nil, true, true, "resynchronize",
		},
		{
			msvm.ConcreteJob{JobState: new(msvm.JobState(2)), PercentComplete: new(uint16(0))},
			uint16(0), false, false, "resynchronize",
		},
		{
			msvm.ConcreteJob{
				JobState: new(msvm.JobState(4)), PercentComplete: new(uint16(1)), Cancellable: new(true),
				ScheduledStartTime: new(startTime), JobType: new(msvm.JobType(1)),
			},
			uint16(1), true, false, "resynchronize",
		},
		{
			msvm.ConcreteJob{
				JobState: new(msvm.JobState(4)), PercentComplete: new(uint16(99)), Cancellable: new(false),
			},
			uint16(99), false, false, "resynchronize",
		},
		{
			msvm.ConcreteJob{
				JobState: new(msvm.JobState(7)), PercentComplete: new(uint16(100)), Cancellable: new(true),
				JobType: new(msvm.JobType(125)),
			},
			uint16(100), false, false, "update_disk_set",
		},
	} {
		step.row.InstanceID = jobA
		tr.host.jobs = []msvm.ConcreteJob{step.row}
		tr.refresh()
		r := tr.get("a")
		var percent any
		if r.Percent != nil {
			percent = *r.Percent
		}
		if percent != step.percent || r.Cancellable != step.cancellable || r.Scheduled != step.scheduled ||
			r.Type != step.jobType {
			t.Errorf("state %d: got %+v, want %+v", *step.row.JobState, r, step)
		}
	}
}

// A job that has failed says why. A job that has succeeded has no error, even if the host shows an error of 0.
func TestErrorOfAJob(t *testing.T) {
	for _, tt := range []struct {
		state                uint16
		code                 *uint16
		description, summary *string
		wantCode             any
		wantText             string
	}{
		{10, new(uint16(32768)), new("no space"), new("failed"), uint16(32768), "no space"},
		{10, new(uint16(32773)), nil, new("failed"), uint16(32773), "failed"},
		{10, new(uint16(0)), new(""), new("failed"), nil, "failed"},
		{10, new(uint16(32773)), nil, nil, uint16(32773), "the host gives no reason: invalid parameter (32773)"},
		{10, nil, nil, nil, nil, ""},
		{7, new(uint16(0)), new(""), nil, nil, ""},
		{4, new(uint16(32768)), new("not yet"), nil, nil, ""},
	} {
		r := Record{State: Running}
		r.ApplyJob(msvm.ConcreteJob{
			JobState: new(msvm.JobState(tt.state)), ErrorCode: tt.code, ErrorDescription: tt.description,
			ErrorSummaryDescription: tt.summary,
		}, startTime)
		var code any
		if r.ErrorCode != nil {
			code = *r.ErrorCode
		}
		if code != tt.wantCode || r.Error != tt.wantText {
			t.Errorf("%+v: got code %v and %q", tt, code, r.Error)
		}
	}
}

// The state of an action after the answer of the host.
func TestStatesAfterTheReply(t *testing.T) {
	const full = `\\HV01\root\virtualization\v2:Msvm_ConcreteJob.InstanceID="` + jobA + `"`
	m, _ := msvm.FindMethod("Msvm_ReplicationService", "TestReplicaSystem")
	for _, tt := range []struct {
		name    string
		reply   wmiquery.Reply
		err     error
		problem *problem.Problem
		want    State
		code    any
		path    string
	}{
		{"done", wmiquery.Reply{}, nil, nil, "succeeded", uint32(0), ""},
		{"job", wmiquery.Reply{Code: 4096, Job: full}, nil, nil, "running", uint32(4096), path(jobA)},
		{"job without a path", wmiquery.Reply{Code: 4096}, nil, nil, "unknown", uint32(4096), ""},
		{
			"job without an ID",
			wmiquery.Reply{Code: 4096, Job: `Msvm_ConcreteJob.InstanceID=""`},
			nil, nil,
			"unknown", uint32(4096), "",
		},
		{"path of no job", wmiquery.Reply{Code: 4096, Job: "Msvm_ConcreteJob"}, nil, nil, "unknown", uint32(4096), ""},
		{"failed", wmiquery.Reply{Code: 32768}, nil, problem.New(problem.HostFailed, "x"), "failed", uint32(32768), ""},
		{"timeout", wmiquery.Reply{Code: 32772}, nil, problem.New(problem.OutcomeUnknown, "x"), "unknown", uint32(32772), ""},
		{"denied", wmiquery.Reply{}, errors.New("x"), problem.New(problem.AccessDenied, "x"), "failed", nil, ""},
		{"connection lost", wmiquery.Reply{}, errors.New("x"), problem.New(problem.OutcomeUnknown, "x"), "unknown", nil, ""},
	} {
		r := Record{State: Queued, Created: startTime}
		r.ApplyReply(m, tt.reply, tt.err, tt.problem, startTime.Add(time.Second))
		var code any
		if r.Code != nil {
			code = *r.Code
		}
		if r.State != tt.want || code != tt.code || r.Path != tt.path || (tt.problem != nil) != (r.Error == "x") ||
			!r.Updated.Equal(startTime.Add(time.Second)) {
			t.Errorf("%s: got %+v, want %s, code %v, path %q", tt.name, r, tt.want, tt.code, tt.path)
		}
	}
	r := Record{State: Queued}
	r.ApplyReply(m, wmiquery.Reply{Out: map[string]any{"ResultingSystem": msvm.VMRef(testVM)}}, nil, nil, startTime)
	if r.TestVM != testVM || r.Result["ResultingSystem"] == nil {
		t.Errorf("the record of a test failover is %+v", r)
	}
}

// Records of jobs are kept for 30 days after their end, and those of the 10,000 that ended last. A job that has not ended is
// always kept. A record without content, such as null, is not a job that has not ended.
func TestRetentionOfRecords(t *testing.T) {
	const day = 24 * time.Hour
	now := startTime
	value := func(id string, s State, age time.Duration) store.Value {
		return store.Value{Key: id, Value: &Record{ID: id, State: s, Created: now.Add(-age)}}
	}
	var values []store.Value
	for _, s := range []State{"succeeded", "failed", "cancelled", "unknown", "running", "queued"} {
		values = append(values, value(string(s)+" below", s, 30*day-time.Second), value(string(s)+" at", s, 30*day),
			value(string(s)+" above", s, 30*day+time.Second))
	}
	values = append(values, value("ahead", "succeeded", -40*day), store.Value{Key: "nothing", Value: &Record{}})
	for id, ended := range map[string]time.Duration{"long job below": 30 * day, "long job above": 30*day + time.Second} {
		v := value(id, "succeeded", 60*day)
		v.Value.(*Record).Ended = new(now.Add(-ended))
		values = append(values, v)
	}
	got := expired(values, now)
	slices.Sort(got)
	want := []string{"cancelled above", "failed above", "long job above", "nothing", "succeeded above", "unknown above"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, n := range []int{9999, 10_000, 10_001, 10_003} {
		values = nil
		for i := range n {
			values = append(values, value(fmt.Sprint(i), "succeeded", time.Duration(i)*time.Second))
		}
		slices.Reverse(values)
		var want []string
		for i := 10_000; i < n; i++ { // the oldest
			want = append(want, fmt.Sprint(i))
		}
		if got := expired(values, now); !slices.Equal(got, want) {
			t.Errorf("%d records: got %q, want %q", n, got, want)
		}
	}
}

// A job is cancelled with the role that its action needed, operator at least. A record with an unknown role needs the
// role owner.
func TestRoleOfACancellation(t *testing.T) {
	for role, want := range map[string]string{
		"viewer": "operator", "operator": "operator", "failover": "failover", "owner": "owner", "": "owner", "x": "owner",
	} {
		r := Record{Role: role, Path: path(jobA), VMID: vmA, VM: "web01", Method: "X", Action: "suspend"}
		plan := r.CancelPlan()
		if plan.Role.String() != want || string(plan.Object) != path(jobA) || plan.VM != vmA || plan.VMName != "web01" {
			t.Errorf("role %q: got %+v, want %s", role, plan, want)
		}
		got := r.Attributes(authz.RoleViewer)
		if !reflect.DeepEqual(got.Names, []string{"X", "suspend"}) || got.VM != vmA || got.VMName != "web01" ||
			got.Role != authz.RoleViewer {
			t.Errorf("the attributes are %+v", got)
		}
	}
}

// 0 percent and a return code of 0 are values. What is not known is left out.
func TestRecordAsJSON(t *testing.T) {
	text, err := json.Marshal(Record{
		ID: "id", State: Running, Percent: new(uint16(0)), Code: new(uint32), Action: "a", Method: "m", User: "u", Role: "r",
		Created: startTime, Updated: startTime, LockVM: vmB, Resync: true,
	})
	const want = `{"id":"id","state":"running","percent_complete":0,"action":"a","method":"m","claimed_vm_id":"` + vmB +
		`","user":"u","role":"r","created":"2026-11-22T12:00:00Z","updated":"2026-11-22T12:00:00Z","cancellable":false,` +
		`"return_code":0}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v\nwant %s", text, err, want)
	}
}
