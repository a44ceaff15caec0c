package simulator_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

func TestParseFaults(t *testing.T) {
	for _, tt := range []struct {
		specs []string
		want  simulator.Faults
	}{
		{nil, simulator.Faults{}},
		{[]string{"denied", "nulls"}, simulator.Faults{Denied: true, Nulls: true}},
		{[]string{"slow"}, simulator.Faults{Slow: 2 * time.Second}},
		{[]string{"clock-back"}, simulator.Faults{ClockBack: time.Hour}},
		{[]string{"slow=500ms", "hung"}, simulator.Faults{Slow: 500 * time.Millisecond, Hung: true}},
		{
			[]string{
				"class-missing=Msvm_ComputerSystem", "class-missing=Msvm_ReplicationService",
				"hung=Msvm_ReplicationService", "hung=GetReplicationStatisticsEx",
			},
			simulator.Faults{
				ClassMissing: []string{"Msvm_ComputerSystem", "Msvm_ReplicationService"},
				HungAt:       []string{"Msvm_ReplicationService", "GetReplicationStatisticsEx"},
			},
		},
	} {
		if got, err := simulator.ParseFaults(tt.specs); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %+v, %v, want %+v", tt.specs, got, err, tt.want)
		}
	}
	var names, classes []string
	for _, f := range simulator.FaultNames() {
		names = append(names, f.Name)
		if f.Help == "" {
			t.Errorf("fault %s has no description", f.Name)
		}
	}
	for _, c := range msvm.Classes() {
		classes = append(classes, c.WMIClass().Name)
	}
	for _, tt := range []struct {
		specs []string
		want  []string // substrings of the error
	}{
		{[]string{"nonsense"}, append([]string{`"nonsense"`}, names...)},
		{[]string{""}, names},
		{[]string{"Denied"}, names},
		{[]string{"denied=yes"}, []string{"the syntax is denied"}},
		{[]string{"class-missing"}, []string{"class-missing=CLASS"}},
		{[]string{"class-missing="}, []string{"class-missing=CLASS"}},
		{[]string{"class-missing=Win32_Service"}, append([]string{"Win32_Service"}, classes...)},
		{[]string{"slow="}, []string{"slow[=DURATION]"}},
		{[]string{"slow=-1s"}, []string{"-1s", "positive duration", "500ms"}},
		{[]string{"clock-back=0s"}, []string{"0s", "positive duration"}},
		{[]string{"slow=2"}, []string{`"2"`, "500ms"}},
		{[]string{"hung=Win32_Service"}, append([]string{"GetReplicationStatisticsEx"}, classes...)},
		{[]string{"denied", "slow=x", "y"}, []string{`"slow=x"`, `"y"`}},
		{[]string{"invalid-value=X.Name"}, append([]string{`"X"`}, classes...)},
		{[]string{"invalid-value=Msvm_ComputerSystem"}, []string{`"" of Msvm_ComputerSystem`}},
		{[]string{"invalid-value=Msvm_ComputerSystem.X"}, []string{`"X" of Msvm_ComputerSystem`}},
	} {
		got, err := simulator.ParseFaults(tt.specs)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) || !reflect.DeepEqual(got, simulator.Faults{}) {
				t.Errorf("%q: error is %v, want it to contain %q", tt.specs, err, want)
			}
		}
	}
}

// faultTest is a session with a host, and the calls for the statistics of all of its replicating
// relationships.
type faultTest struct {
	*testing.T
	world *simulator.World
	clock *clock
	wmiquery.Session
	calls []wmiquery.Call
}

func (p faultTest) readRelationships() error { return p.Read(new([]msvm.ReplicationRelationship)) }
func (p faultTest) readServices() error      { return p.Read(new([]msvm.ReplicationService)) }
func (p faultTest) firstCall() error         { _, err := p.Call(p.calls[0]); return err }
func (p faultTest) lastCall() error          { _, err := p.Call(p.calls[len(p.calls)-1]); return err }

// wantError checks that the errors are want. Nil means no error.
func (p faultTest) wantError(want error, errs ...error) {
	p.Helper()
	for _, err := range errs {
		if !errors.Is(err, want) {
			p.Errorf("error is %v, want %v", err, want)
		}
	}
}

// wantCodes checks how many of the calls return which code.
func (p faultTest) wantCodes(want map[uint32]int) {
	p.Helper()
	got := map[uint32]int{}
	for _, c := range p.calls {
		got[call(p.T, p, c).Code]++
	}
	if !reflect.DeepEqual(got, want) {
		p.Errorf("number of calls by code is %v, want %v", got, want)
	}
}

// wantHang checks that hangs does not return before the fault is removed, and that other returns.
func (p faultTest) wantHang(hangs, goesOn func() error) {
	done := make(chan error, 1)
	go func() { done <- hangs() }()
	p.wantError(nil, goesOn())
	synctest.Wait()
	if len(done) > 0 {
		p.Error("the call returned while the fault was active")
	}
	p.world.SetFaults(simulator.Faults{})
	p.wantError(nil, <-done)
}

// eachProperty calls f for every property of every row and embedded instance.
func (p faultTest) eachProperty(f func(property string, v reflect.Value)) {
	instance := func(class string, v any) {
		for i := range reflect.ValueOf(v).NumField() {
			f(class+"."+reflect.TypeOf(v).Field(i).Name, reflect.ValueOf(v).Field(i))
		}
	}
	for _, class := range msvm.Classes() {
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(class)))
		p.wantError(nil, p.Read(rows.Interface()))
		for i := range rows.Elem().Len() {
			instance(class.WMIClass().Name, rows.Elem().Index(i).Interface())
		}
	}
	for _, c := range p.calls {
		stats, issues, err := msvm.Statistics(call(p.T, p, c))
		p.wantError(nil, err)
		instance("Msvm_ReplicationStatistics", stats)
		for _, issue := range issues {
			instance("Msvm_Error", issue)
		}
	}
}

func (p faultTest) vmNames() map[string]int {
	n := map[string]int{}
	for _, c := range read[msvm.ComputerSystem](p.T, p)[1:] {
		n[*c.ElementName]++
	}
	return n
}

// Every fault does what its description says, and has no effect after it is removed.
func TestEachFault(t *testing.T) {
	tried := map[string]bool{}
	for _, tt := range []struct {
		fault string
		check func(p faultTest)
	}{
		{"denied", func(p faultTest) {
			p.wantCodes(map[uint32]int{wmiquery.CodeAccessDenied: len(p.calls)})
			p.calls = nil
			p.eachProperty(func(property string, _ reflect.Value) { p.Errorf("unexpected row with %s", property) })
		}},
		{"class-missing=Msvm_ReplicationRelationship", func(p faultTest) {
			p.wantError(wmiquery.ErrUnsupported, p.readRelationships())
			p.wantError(nil, p.readServices(), p.firstCall())
		}},
		{"class-missing=Msvm_ReplicationService", func(p faultTest) {
			p.wantError(wmiquery.ErrUnsupported, p.readServices(), p.firstCall())
		}},
		{"slow", func(p faultTest) { // inside the bubble the clock advances only while waiting
			begin := time.Now()
			p.wantError(nil, p.readServices(), p.firstCall())
			if d := time.Since(begin); d != 4*time.Second {
				p.Errorf("a read and a call took %v, want 4s", d)
			}
		}},
		{"hung", func(p faultTest) { p.wantHang(p.firstCall, func() error { return nil }) }},
		{"hung=Msvm_ReplicationRelationship", func(p faultTest) { p.wantHang(p.readRelationships, p.firstCall) }},
		{"hung=Msvm_ReplicationService", func(p faultTest) { p.wantHang(p.firstCall, p.readRelationships) }},
		{"hung=GetReplicationStatisticsEx", func(p faultTest) { p.wantHang(p.firstCall, p.readServices) }},
		{"relationship-hung", func(p faultTest) { p.wantHang(p.firstCall, p.lastCall) }},
		{"relationship-failing", func(p faultTest) {
			p.wantCodes(map[uint32]int{wmiquery.CodeFailed: 1, wmiquery.CodeCompleted: len(p.calls) - 1})
			p.calls = p.calls[:1]
			p.wantCodes(map[uint32]int{wmiquery.CodeFailed: 1})
		}},
		{"nulls", func(p faultTest) {
			p.eachProperty(func(property string, v reflect.Value) {
				if k := v.Kind(); (k == reflect.Pointer || k == reflect.Slice) && !v.IsNil() {
					p.Errorf("%s is not null", property)
				}
			})
		}},
		{"unknown-enum", func(p faultTest) {
			properties := map[string]bool{}
			p.eachProperty(func(property string, v reflect.Value) {
				switch _, name, _ := strings.Cut(property, "."); name {
				case "ReplicationState", "ReplicationHealth", "ReplicationMode", "LastReplicationType",
					"FailedOverReplicationType", "PerceivedSeverity":
					v = v.Elem()
				case "OperationalStatus":
					v = v.Index(0)
				default:
					return
				}
				if properties[property] = true; v.Uint() != 99 {
					p.Errorf("%s is %d, want 99", property, v.Uint())
				}
			})
			if len(properties) != 10 {
				p.Errorf("checked properties %v, want 10", properties)
			}
		}},
		{"duplicate-names", func(p faultTest) {
			if names := p.vmNames(); len(names) != 1 || names["web01"] < 20 {
				p.Errorf("VM names are %v, want only web01", names)
			}
		}},
		{"hostile-names", func(p faultTest) {
			names := p.vmNames()
			for _, c := range "'\\\"&<>\n\t{}数\u202E🖥" {
				if !strings.ContainsRune(strings.Join(slices.Collect(maps.Keys(names)), ""), c) {
					p.Errorf("no VM name contains %q", c)
				}
			}
			p.eachProperty(func(property string, v reflect.Value) {
				if property == "Msvm_Error.MessageArguments" && names[v.Index(0).String()] == 0 {
					p.Errorf("health issue refers to unknown VM %q", v)
				}
			})
		}},
		{"disconnected", func(p faultTest) {
			_, err := p.world.Open()
			p.wantError(wmiquery.ErrUnavailable, err, p.readServices(), p.firstCall())
		}},
		{"service-error", func(p faultTest) {
			if s := read[msvm.ReplicationService](p.T, p)[0]; s.OperationalStatus[0] != msvm.StatusError {
				p.Errorf("OperationalStatus is %d, want an error", s.OperationalStatus)
			}
		}},
		{"method-failing=GetReplicationStatisticsEx", func(p faultTest) {
			p.wantCodes(map[uint32]int{wmiquery.CodeFailed: len(p.calls)})
		}},
		{"method-failing", func(p faultTest) { // does not apply to calls that change nothing
			p.wantCodes(map[uint32]int{wmiquery.CodeCompleted: len(p.calls)})
			id := vms(p.T, p)[0]
			p.calls = []wmiquery.Call{
				newCall(msvm.VMRef(id), msvm.MethodRequestReplicationStateChangeEx,
					wmiquery.Param{Name: "RequestedState", Value: uint16(7)}),
				newCall(read[msvm.ReplicationService](p.T, p)[0].Ref(), "Resynchronize",
					wmiquery.Param{Name: "ComputerSystem", Value: msvm.VMRef(id)}),
			}
			p.wantCodes(map[uint32]int{wmiquery.CodeFailed: 2})
		}},
		{"job-failing", func(p faultTest) { p.wantError(nil, p.firstCall(), p.lastCall()) }}, // see TestFailedJob
		{"saved", func(p faultTest) {
			numbers := map[msvm.EnabledState]bool{}
			for _, c := range read[msvm.ComputerSystem](p.T, p)[1:] {
				numbers[*c.EnabledState] = true
			}
			if want := map[msvm.EnabledState]bool{6: true, 32769: true, 32779: true}; !maps.Equal(numbers, want) {
				p.Errorf("EnabledState is one of %v, want %v", numbers, want)
			}
		}},
		{"failover-network-ids", func(p faultTest) {
			paths := map[wmiquery.Ref]bool{}
			for _, s := range read[msvm.FailoverNetworkAdapterSettingData](p.T, p) {
				paths[s.Ref()] = true
			}
			for _, c := range read[msvm.EthernetPortFailoverSettingDataComponent](p.T, p) {
				if !paths[c.PartComponent] {
					p.Errorf("no settings with the path %s", c.PartComponent)
				}
			}
			if paths[""] || len(paths) == 0 {
				p.Errorf("settings without InstanceID: %v", paths)
			}
		}},
		{"clock-back=87600h", func(p faultTest) { // everything has happened within ten years, or never
			events := 0
			p.eachProperty(func(property string, v reflect.Value) {
				at, _ := reflect.TypeAssert[*time.Time](v)
				if _, known := msvm.Known(at); known {
					if events++; !at.After(p.clock.Now()) {
						p.Errorf("%s is %v, not in the future", property, at)
					}
				}
			})
			if events == 0 {
				p.Error("no times of events")
			}
		}},
		{"invalid-value", checkInvalidValues},
		{"invalid-value=Msvm_ReplicationRelationship.LastReplicationTime", checkInvalidTimes},
		{"invalid-value=Msvm_ComputerSystem.Name", checkEmptyNames},
		{"statistics-job", func(p faultTest) { p.wantCodes(map[uint32]int{wmiquery.CodeJobStarted: len(p.calls)}) }},
		{"statistics-empty", func(p faultTest) {
			forms := map[string]bool{} // null, an empty array, an array with an empty string
			for _, c := range p.calls {
				reply := call(p.T, p, c)
				_, _, err := msvm.Statistics(reply)
				p.wantError(msvm.ErrNoStatistics, err)
				forms[fmt.Sprintf("%#v", reply.Out["ReplicationStatistics"])] = true
			}
			if len(forms) != 3 {
				p.Errorf("representations of no statistics are %v, want 3", forms)
			}
		}},
	} {
		name, _, _ := strings.Cut(tt.fault, "=")
		tried[name] = true
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, clock := newWorld(t, simulator.Config{Seed: 1})
				s := open(t, w, "HV01")
				p := faultTest{t, w, clock, s, statisticsCalls(t, s, msvm.ReplicationRelationship.Replicates)}
				healthy := snapshot(t, w)
				faults, err := simulator.ParseFaults([]string{tt.fault})
				p.wantError(nil, err)
				w.SetFaults(faults)
				tt.check(p)
				w.SetFaults(simulator.Faults{})
				compare(t, snapshot(t, w), healthy)
			})
		})
	}
	for _, f := range simulator.FaultNames() {
		if name, _, _ := strings.Cut(strings.ReplaceAll(f.Name, "[", ""), "="); !tried[name] {
			t.Errorf("fault %s is not tested", f.Name)
		}
	}
}
