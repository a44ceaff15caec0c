package msvm

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

const guid = "4708A0F4-C902-429B-A1E0-D4AB0893E452"

// Q20: Windows writes GUIDs in upper case or in lower case.
func TestParseKey(t *testing.T) {
	for id, want := range map[string]Key{
		`Microsoft:` + guid + `\HVR\0`:                  {guid, Primary},
		`Microsoft:` + guid + `\HVR\1`:                  {guid, Extended},
		`microsoft:` + strings.ToLower(guid) + `\hvr\1`: {guid, Extended},
	} {
		got, err := ParseKey(id)
		if err != nil || got != want {
			t.Errorf("%s: got %v, error %v; want %v", id, got, err, want)
		}
	}
	for _, bad := range []string{
		"", "Microsoft:", guid, `Microsoft:` + guid, `Microsoft:` + guid + `\HVR`, `Microsoft:` + guid + `\HVR\2`, `Microsoft:` + guid + `\HVR\0\1`,
		`Microsoft:` + guid[1:] + `\HVR\0`, `Microsoft:{` + guid + `}\HVR\0`, guid + `\HVR\0`,
	} {
		if got, err := ParseKey(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
	for _, k := range []Key{{guid, Primary}, {guid, Extended}} {
		if got, err := ParseKey(k.InstanceID()); err != nil || got != k {
			t.Errorf("%v: InstanceID is parsed as %v, error %v", k, got, err)
		}
	}
}

// Q26: the row of the host differs from those of VMs by its name.
func TestIsVM(t *testing.T) {
	for name, want := range map[string]bool{
		guid:                       true,
		strings.ToLower(guid):      true,
		"HV01":                     false,
		"":                         false,
		"{" + guid[:34] + "}":      false,
		strings.Repeat("-", 36):    false,
		strings.Repeat("0", 36):    false,
		guid[:8] + "_" + guid[9:]:  false,
		guid[:35] + "G":            false,
		guid[:35] + "\u0665"[0:1]:  false,
		"4708A0F4-C902-429B-A1E0-": false,
	} {
		if got := (ComputerSystem{Name: name}).IsVM(); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// Q10: "never" is neither null nor 0, and is not a known time.
func TestKnown(t *testing.T) {
	now := time.Now()
	never, east := Never(), time.Date(1601, 1, 1, 0, 0, 0, 0, time.FixedZone("", -3600))
	for _, tt := range []struct {
		t    *time.Time
		want bool
	}{{nil, false}, {&never, false}, {&east, false}, {&time.Time{}, false}, {&now, true}} {
		if got, ok := Known(tt.t); ok != tt.want || ok && !got.Equal(now) {
			t.Errorf("%v: got %v, %v", tt.t, got, ok)
		}
	}
}

// An event that was recorded up to a minute after a later one happened at the same time. Beyond that, nothing is known.
func TestElapsed(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		earlier time.Time
		want    time.Duration
		ok      bool
	}{
		{now.Add(-time.Hour), time.Hour, true},
		{now.Add(-time.Hour).In(time.FixedZone("", 7200)), time.Hour, true},
		{now, 0, true},
		{now.Add(time.Nanosecond), 0, true},
		{now.Add(60 * time.Second), 0, true},
		{now.Add(60*time.Second + time.Nanosecond), 0, false},
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), 0, false},
	} {
		if got, ok := Elapsed(tt.earlier, now); got != tt.want || ok != tt.ok {
			t.Errorf("%v: got %v, %v; want %v, %v", tt.earlier, got, ok, tt.want, tt.ok)
		}
	}
}

// Q1, Q16, Q22: the numbers are those of WMI, not of PowerShell. Numbers that are not documented are unknown.
func TestEnumerations(t *testing.T) {
	for n, want := range map[ReplicationState]string{
		0: "disabled", 3: "replicating", 7: "suspended", 8: "critical", 11: "resynchronization_suspended",
		12: "failover_in_progress", 17: "unknown", 21: "firedrill_in_progress", 22: "unknown", 99: "unknown", 65535: "unknown",
	} {
		if got := n.String(); got != want {
			t.Errorf("state %d: got %q, want %q", n, got, want)
		}
	}
	if n := len(ReplicationStates()); n != 22 {
		t.Errorf("got %d states, want 22", n)
	}
	for _, tt := range []struct{ got, want string }{
		{ReplicationHealth(1).String(), "ok"},
		{HealthCritical.String(), "critical"},
		{ReplicationHealth(4).String(), "unknown"},
		{ModeTestReplica.String(), "test_replica"},
		{ReplicationMode(4).String(), "extended_replica"},
		{TypePlanned.String(), "planned"},
		{AuthenticationBoth.String(), "both"},
		{Severity(3).String(), "degraded"},
		{Severity(8).String(), "unknown"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// Q61: backslashes and quotes in a path are escaped.
func TestObjectPaths(t *testing.T) {
	for _, tt := range []struct{ got, want wmiquery.Ref }{
		{VMRef(guid), `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + guid + `"`},
		{
			ReplicationRelationship{InstanceID: Key{guid, Extended}.InstanceID()}.Ref(),
			`Msvm_ReplicationRelationship.InstanceID="Microsoft:` + guid + `\\HVR\\1"`,
		},
		{ref("C", "K", `a"b`), `C.K="a\"b"`},
		{
			ReplicationService{"replicasvc", "Msvm_ReplicationService", "HV01", "Msvm_ComputerSystem", nil, nil}.Ref(),
			`Msvm_ReplicationService.CreationClassName="Msvm_ReplicationService",Name="replicasvc",SystemCreationClassName="Msvm_ComputerSystem",SystemName="HV01"`,
		},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s\nwant %s", tt.got, tt.want)
		}
	}
}

func TestSettingsMethods(t *testing.T) {
	text := func(s string) *string { return &s }
	seconds := uint16(30)
	for _, tt := range []struct {
		s                 ReplicationSettingData
		server, provider  string
		interval          time.Duration
		intervalIsUnknown bool
	}{
		{s: ReplicationSettingData{InstanceID: Key{guid, Primary}.InstanceID()}, intervalIsUnknown: true},
		{
			s: ReplicationSettingData{
				PrimaryConnectionPoint: text("broker"), PrimaryHostSystem: text(""), ReplicationInterval: &seconds,
				ReplicationProvider: text(`\\HV01\root\virtualization\v2:` + string(ProviderRef(strings.ToLower(BuiltinProvider)))),
			},
			server: "broker", provider: BuiltinProvider, interval: 30 * time.Second,
		},
		{
			s: ReplicationSettingData{
				PrimaryConnectionPoint: text("broker"), PrimaryHostSystem: text("hv01"), ReplicationProvider: text("?"),
			},
			server: "hv01", intervalIsUnknown: true,
		},
	} {
		d, ok := tt.s.Interval()
		server, provider := tt.s.PrimaryServer(), tt.s.ProviderID()
		if server != tt.server || provider != tt.provider || d != tt.interval || ok == tt.intervalIsUnknown {
			t.Errorf("%+v: got server %q, provider %q, interval %v, %v", tt.s, server, provider, d, ok)
		}
	}
}

// Q29: the relationship is an embedded instance with all of its properties.
func TestGetReplicationStatisticsCall(t *testing.T) {
	state, name := Replicating, "web01"
	call, err := GetReplicationStatistics(ReplicationService{Name: "replicasvc"}, Key{guid, Primary},
		ReplicationRelationship{InstanceID: Key{guid, Primary}.InstanceID(), ElementName: &name, ReplicationState: &state})
	if err != nil {
		t.Fatal(err)
	}
	if call.Method != "GetReplicationStatisticsEx" || len(call.In) != 2 || call.In[0].Value != VMRef(guid) {
		t.Errorf("got call %+v", call)
	}
	text, ok := call.In[1].Value.(wmiquery.Embedded)
	for _, want := range []string{
		`CLASSNAME="Msvm_ReplicationRelationship"`, `Microsoft:` + guid + `\HVR\0`, "web01", "<VALUE>3</VALUE>",
	} {
		if !ok || !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
}

// Q46, Q47: arrays may be null, and the method may start a job or fail.
func TestStatisticsReply(t *testing.T) {
	const (
		stats = `<INSTANCE CLASSNAME="Msvm_ReplicationStatistics"><PROPERTY NAME="ReplicationSuccessCount" TYPE="uint32"><VALUE>150</VALUE></PROPERTY></INSTANCE>`
		issue = `<INSTANCE CLASSNAME="Msvm_Error"><PROPERTY NAME="MessageID" TYPE="string"><VALUE>99006</VALUE></PROPERTY></INSTANCE>`
	)
	for _, tt := range []struct {
		name          string
		reply         wmiquery.Reply
		want          error
		text          string
		success, errs int
	}{
		{name: "complete", reply: reply(0, []string{stats}, []string{issue}), success: 150, errs: 1},
		{name: "null issues", reply: reply(0, []string{stats}, nil), success: 150},
		{name: "empty issues", reply: reply(0, []string{stats}, []string{}), success: 150},
		{name: "empty strings", reply: reply(0, []string{"", stats}, []string{"", issue, ""}), success: 150, errs: 1},
		{name: "null", reply: reply(0, nil, nil), want: ErrNoStatistics},
		{name: "only an empty string", reply: reply(0, []string{""}, nil), want: ErrNoStatistics},
		{name: "job", reply: reply(4096, nil, nil), want: ErrJobStarted},
		{name: "invalid state", reply: reply(32775, nil, nil), want: wmiquery.ErrInvalidState},
		{name: "access denied", reply: reply(32769, nil, nil), want: wmiquery.ErrDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, issues, err := Statistics(tt.reply)
			switch {
			case tt.want != nil:
				if !errors.Is(err, tt.want) {
					t.Errorf("got error %v, want %v", err, tt.want)
				}
			case tt.text != "":
				if err == nil || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got error %v, want one with %q", err, tt.text)
				}
			case err != nil || int(*s.ReplicationSuccessCount) != tt.success || len(issues) != tt.errs:
				t.Errorf("got %+v, issues %v, error %v", s, issues, err)
			}
		})
	}
}

func reply(code uint32, stats, issues []string) wmiquery.Reply {
	out := map[string]any{"ReplicationStatistics": nil, "ReplicationHealthIssues": nil}
	if stats != nil {
		out["ReplicationStatistics"] = stats
	}
	if issues != nil {
		out["ReplicationHealthIssues"] = issues
	}
	return wmiquery.Reply{Code: code, Out: out}
}

func TestClassesAreDistinct(t *testing.T) {
	seen := map[wmiquery.Class]bool{}
	for _, c := range append(Classes(), Error{}) {
		class := c.WMIClass()
		replication := class.Namespace == wmiquery.Virtualization && strings.HasPrefix(class.Name, "Msvm_")
		counters := class.Namespace == wmiquery.CIMV2 && strings.HasPrefix(class.Name, "Win32_PerfRawData_")
		if !replication && !counters || seen[class] {
			t.Errorf("%T: unexpected or repeated class %+v", c, class)
		}
		seen[class] = true
	}
}
