package simulator_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// randomCaller does things to a world at random, most of which make sense.
type randomCaller struct {
	*testing.T
	*rand.Rand
	world *simulator.World
	clock *clock
	vms   int // of a host that it looks at
	log   []string
	codes map[string]map[uint32]int // by method
}

// oneOf is one of several.
func oneOf[T any](m *randomCaller, of ...T) T { return of[m.IntN(len(of))] }

// step is one thing, and some time.
func (m *randomCaller) step() {
	host := oneOf(m, hosts...)
	s := open(m.T, m.world, host)
	machines := read[msvm.ComputerSystem](m.T, s)[1:]
	vm := machines[m.IntN(min(m.vms, len(machines)))].Name
	switch m.IntN(12) {
	case 0:
		m.world.SetFaults(simulator.Faults{JobFailing: m.IntN(4) == 0})
	case 1:
		on := m.IntN(3) == 0
		m.note("%s power %s %v: %v", host, vm, on, m.world.SetPower(vm, host, on))
	default:
		m.call(s, host, vm)
	}
	m.clock.Advance(time.Duration(m.IntN(oneOf(m, 2, 10, 60, 600, 3600))) * time.Second)
}

func (m *randomCaller) note(format string, args ...any) {
	m.log = append(m.log, m.clock.Now().Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

// call calls one of all methods; those that spoil a host for all VMs seldom.
func (m *randomCaller) call(s wmiquery.Session, host, vm string) {
	method := oneOf(m, msvm.Methods()...)
	for range oneOf(m, 0, 20, 40) {
		if m.makesSense(s, vm, method) {
			break
		}
		method = oneOf(m, msvm.Methods()...)
	}
	if strings.Contains(method.Name, "Authorization") || method.Name == "ModifyServiceSettings" {
		if m.IntN(8) > 0 {
			method, _ = msvm.FindMethod("Msvm_ComputerSystem", msvm.MethodRequestReplicationStateChangeEx)
		}
	}
	c := wmiquery.Call{Namespace: wmiquery.Virtualization, Method: method.Name, Object: `Msvm_VirtualSystemManagementService.Name="vmms"`}
	switch method.Class {
	case "Msvm_ReplicationService":
		c.Object = read[msvm.ReplicationService](m.T, s)[0].Ref()
	case "Msvm_ComputerSystem":
		c.Object = msvm.VMRef(vm)
	case "Msvm_ConcreteJob":
		jobs := read[msvm.ConcreteJob](m.T, s)
		if len(jobs) == 0 {
			return
		}
		c.Object = oneOf(m, jobs...).Ref()
	}
	for _, p := range method.In {
		if v := m.argument(s, vm, p); v != nil {
			c.In = append(c.In, wmiquery.Param{Name: p.Name, Value: v})
		}
	}
	reply, err := s.Call(c)
	m.note("%s %s %s %v: %d %v", host, vm, method.Name, short(c.In), reply.Code, err)
	if err != nil && !errors.Is(err, wmiquery.ErrNotFound) { // somebody else may have been there
		m.Errorf("%s\n%v", strings.Join(m.log, "\n"), err)
	}
	if m.codes[method.Name] == nil {
		m.codes[method.Name] = map[uint32]int{}
	}
	m.codes[method.Name][reply.Code]++
	if (reply.Code == wmiquery.CodeJobStarted) != (reply.Job != "") {
		m.Errorf("%s: code %d and the job %q", method.Name, reply.Code, reply.Job)
	}
}

// makesSense tells whether the tables of package msvm let the method be called, of
// a VM for one of its relationships.
func (m *randomCaller) makesSense(s wmiquery.Session, vm string, method msvm.Method) bool {
	if len(method.Modes) == 0 {
		return m.IntN(20) == 0
	}
	var mode msvm.ReplicationMode
	for _, c := range read[msvm.ComputerSystem](m.T, s) {
		if c.Name == vm {
			mode = *c.ReplicationMode
		}
	}
	fits := len(method.States) == 0
	for _, r := range read[msvm.ReplicationRelationship](m.T, s) {
		fits = fits || strings.Contains(r.InstanceID, vm) && slices.Contains(method.States, *r.ReplicationState)
	}
	return fits && slices.Contains(method.Modes, mode) && (!strings.HasPrefix(method.Name, "R") || m.IntN(3) == 0)
}

// history is what was done to a VM.
func (m *randomCaller) history(vm string) string {
	lines := slices.DeleteFunc(m.log, func(line string) bool { return !strings.Contains(line, vm) })
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

func short(in []wmiquery.Param) (texts []string) {
	for _, p := range in {
		if _, ref := p.Value.(wmiquery.Ref); !ref {
			texts = append(texts, fmt.Sprint(p.Name, "=", p.Value))
		}
	}
	return texts
}

// argument is a value for a parameter.
func (m *randomCaller) argument(s wmiquery.Session, vm string, p msvm.Parameter) any {
	switch p.Name {
	case "ComputerSystem":
		return msvm.VMRef(vm)
	case "AffectedSystem":
		for _, c := range read[msvm.ComputerSystem](m.T, s) {
			if *c.ReplicationMode == msvm.ModeTestReplica && m.IntN(2) == 0 {
				return msvm.VMRef(c.Name)
			}
		}
		return msvm.VMRef(vm)
	case "ReplicationRelationship":
		return m.instance(msvm.ReplicationRelationship{InstanceID: msvm.Key{VM: vm, Link: oneOf(m, msvm.Primary, msvm.Primary, msvm.Extended)}.InstanceID()})
	case "ReplicationSettingData":
		of := slices.DeleteFunc(read[msvm.ReplicationSettingData](m.T, s), func(r msvm.ReplicationSettingData) bool {
			return !strings.Contains(r.InstanceID, vm)
		})
		if len(of) == 0 { // somebody else removed the VM
			return nil
		}
		r := oneOf(m, of...)
		to(oneOf(m, hosts...))(&r)
		r.RecoveryHistory = new(uint16(m.IntN(6)))
		if m.IntN(3) == 0 {
			r.IncludedDisks = []string{fmt.Sprint(m.IntN(2))}
		}
		return m.instance(r)
	case "SnapshotSettingData":
		for _, a := range read[msvm.SnapshotOfVirtualSystem](m.T, s) {
			if msvm.VMOf(a.Antecedent) == vm && m.IntN(5) == 0 {
				return a.Dependent
			}
		}
		return nil
	case "RequestedState":
		return uint16(oneOf(m, 1, 2, 3, 3, 4, 7, 7, 9, 15, m.IntN(22)))
	case "StartTime":
		return oneOf[any](m, nil, nil, m.clock.Now().Add(time.Duration(m.IntN(7200))*time.Second))
	case "AuthorizationEntry":
		return m.instance(msvm.ReplicationAuthorizationSettingData{
			AllowedPrimaryHostSystem: new(oneOf(m, "*", "*.contoso.com", "HV02.contoso.com")), ReplicaStorageLocation: new(`D:\`),
		})
	case "AllowedPrimaryHostSystem":
		return oneOf(m, "*", "*.contoso.com", "HV02.contoso.com")
	case "SettingData":
		r := read[msvm.ReplicationServiceSettingData](m.T, s)[0]
		r.RecoveryServerEnabled, r.MonitoringInterval = new(m.IntN(4) > 0), new(uint32(3600*(1+m.IntN(20))))
		return m.instance(r)
	case "NetworkSettings":
		return []string{string(m.instance(msvm.FailoverNetworkAdapterSettingData{DHCPEnabled: new(true), IPAddresses: []string{}}))}
	}
	switch p.Type {
	case msvm.TypeString:
		return oneOf(m, "HV01", "HV02", "HV03")
	case msvm.TypeUint16:
		return uint16(1 + m.IntN(3))
	case msvm.TypeBoolean:
		return m.IntN(2) == 0
	}
	return nil
}

func (m *randomCaller) instance(v wmiquery.Instance) wmiquery.Embedded {
	text, err := cimxml.Marshal(v.WMIClass().Name, v)
	if err != nil {
		m.Fatal(err)
	}
	return wmiquery.Embedded(text)
}

// Whatever is called in whatever order, what must hold of a world holds; and what
// comes of it depends on the calls and their times, not on what is read between
// them.
func TestInvariantsHoldAfterRandomCalls(t *testing.T) {
	codes := map[string]map[uint32]int{}
	for seed := range uint64(16) {
		run := func(look bool) *randomCaller {
			w, c := newWorld(t, simulator.Config{Seed: seed, VMs: 24})
			m := &randomCaller{t, rand.New(rand.NewPCG(seed, 7)), w, c, 1 + int(seed%12), nil, codes}
			for range 600 {
				m.step()
				if !look {
					continue
				}
				if err := w.Invariants(); err != nil {
					t.Fatalf("seed %d: %v after\n%s", seed, err, m.history(err.Error()[:36]))
				}
			}
			return m
		}
		one, other := run(true), run(false)
		compare(t, snapshot(t, one.world), snapshot(t, other.world))
	}
	worked := 0
	for _, of := range codes {
		if of[wmiquery.CodeCompleted]+of[wmiquery.CodeJobStarted] > 0 {
			worked++
		}
	}
	if all := len(msvm.Methods()); worked < all-9 {
		t.Errorf("%d methods of %d ever did something: %v", worked, all, codes)
	}
}

// Many sessions may call at once.
func TestConcurrentCalls(t *testing.T) {
	w, c := newWorld(t, simulator.Config{Seed: 1})
	var all sync.WaitGroup
	for i := range uint64(6) {
		all.Go(func() {
			m := &randomCaller{t, rand.New(rand.NewPCG(1, i)), w, c, 5, nil, map[string]map[uint32]int{}}
			for range 60 {
				m.step()
			}
		})
	}
	all.Wait()
	if err := w.Invariants(); err != nil {
		t.Error(err)
	}
}
