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

// randomCaller calls random methods of random VMs. Most calls are plausible.
type randomCaller struct {
	*testing.T
	*rand.Rand
	world *simulator.World
	clock *clock
	vms   int // number of VMs of a host to choose from
	log   []string
	codes map[string]map[uint32]int // by method
}

// oneOf returns one of the values at random.
func oneOf[T any](rc *randomCaller, of ...T) T { return of[rc.IntN(len(of))] }

// step does one thing and advances the clock.
func (rc *randomCaller) step() {
	host := oneOf(rc, hosts...)
	s := open(rc.T, rc.world, host)
	machines := read[msvm.ComputerSystem](rc.T, s)[1:]
	vm := machines[rc.IntN(min(rc.vms, len(machines)))].Name
	switch rc.IntN(12) {
	case 0:
		rc.world.SetFaults(simulator.Faults{JobFailing: rc.IntN(4) == 0})
	case 1:
		on := rc.IntN(3) == 0
		rc.note("%s power %s %v: %v", host, vm, on, rc.world.SetPower(vm, host, on))
	default:
		rc.call(s, host, vm)
	}
	rc.clock.Advance(time.Duration(rc.IntN(oneOf(rc, 2, 10, 60, 600, 3600))) * time.Second)
}

func (rc *randomCaller) note(format string, args ...any) {
	rc.log = append(rc.log, rc.clock.Now().Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

// call calls a random method. Methods that affect all VMs of a host are rare.
func (rc *randomCaller) call(s wmiquery.Session, host, vm string) {
	method := oneOf(rc, msvm.Methods()...)
	for range oneOf(rc, 0, 20, 40) {
		if rc.makesSense(s, vm, method) {
			break
		}
		method = oneOf(rc, msvm.Methods()...)
	}
	if strings.Contains(method.Name, "Authorization") || method.Name == "ModifyServiceSettings" {
		if rc.IntN(8) > 0 {
			method, _ = msvm.FindMethod("Msvm_ComputerSystem", msvm.MethodRequestReplicationStateChangeEx)
		}
	}
	c := wmiquery.Call{
		Namespace: wmiquery.Virtualization, Method: method.Name,
		Object: `Msvm_VirtualSystemManagementService.Name="vmms"`,
	}
	switch method.Class {
	case "Msvm_ReplicationService":
		c.Object = read[msvm.ReplicationService](rc.T, s)[0].Ref()
	case "Msvm_ComputerSystem":
		c.Object = msvm.VMRef(vm)
	case "Msvm_ShutdownComponent":
		components := read[msvm.ShutdownComponent](rc.T, s)
		if len(components) == 0 {
			return
		}
		c.Object = oneOf(rc, components...).Ref()
	case "Msvm_ConcreteJob":
		jobs := read[msvm.ConcreteJob](rc.T, s)
		if len(jobs) == 0 {
			return
		}
		c.Object = oneOf(rc, jobs...).Ref()
	}
	for _, p := range method.In {
		if v := rc.argument(s, vm, p); v != nil {
			c.In = append(c.In, wmiquery.Param{Name: p.Name, Value: v})
		}
	}
	reply, err := s.Call(c)
	rc.note("%s %s %s %v: %d %v", host, vm, method.Name, short(c.In), reply.Code, err)
	if err != nil && !errors.Is(err, wmiquery.ErrNotFound) { // another caller may have removed the object
		rc.Errorf("%s\n%v", strings.Join(rc.log, "\n"), err)
	}
	if rc.codes[method.Name] == nil {
		rc.codes[method.Name] = map[uint32]int{}
	}
	rc.codes[method.Name][reply.Code]++
	if (reply.Code == wmiquery.CodeJobStarted) != (reply.Job != "") {
		rc.Errorf("%s: code %d with job %q", method.Name, reply.Code, reply.Job)
	}
}

// makesSense reports whether the tables of package msvm allow the method for a relationship of the VM.
func (rc *randomCaller) makesSense(s wmiquery.Session, vm string, method msvm.Method) bool {
	if len(method.Modes) == 0 {
		return rc.IntN(20) == 0
	}
	var mode msvm.ReplicationMode
	for _, c := range read[msvm.ComputerSystem](rc.T, s) {
		if c.Name == vm {
			mode = *c.ReplicationMode
		}
	}
	fits := len(method.States) == 0
	for _, r := range read[msvm.ReplicationRelationship](rc.T, s) {
		fits = fits || strings.Contains(r.InstanceID, vm) && slices.Contains(method.States, *r.ReplicationState)
	}
	return fits && slices.Contains(method.Modes, mode) && (!strings.HasPrefix(method.Name, "R") || rc.IntN(3) == 0)
}

// history is the log of the VM.
func (rc *randomCaller) history(vm string) string {
	lines := slices.DeleteFunc(rc.log, func(line string) bool { return !strings.Contains(line, vm) })
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
func (rc *randomCaller) argument(s wmiquery.Session, vm string, p msvm.Parameter) any {
	switch p.Name {
	case "ComputerSystem":
		return msvm.VMRef(vm)
	case "AffectedSystem":
		for _, c := range read[msvm.ComputerSystem](rc.T, s) {
			if *c.ReplicationMode == msvm.ModeTestReplica && rc.IntN(2) == 0 {
				return msvm.VMRef(c.Name)
			}
		}
		return msvm.VMRef(vm)
	case "ReplicationRelationship":
		return rc.instance(msvm.ReplicationRelationship{InstanceID: msvm.Key{
			VM:   vm,
			Link: oneOf(rc, msvm.Primary, msvm.Primary, msvm.Extended),
		}.InstanceID()})
	case "ReplicationSettingData":
		of := slices.DeleteFunc(read[msvm.ReplicationSettingData](rc.T, s), func(r msvm.ReplicationSettingData) bool {
			return !strings.Contains(r.InstanceID, vm)
		})
		if len(of) == 0 { // another caller removed the VM
			return nil
		}
		r := oneOf(rc, of...)
		toServer(oneOf(rc, hosts...))(&r)
		r.RecoveryHistory = new(uint16(rc.IntN(6)))
		if rc.IntN(3) == 0 {
			r.IncludedDisks = []string{fmt.Sprint(rc.IntN(2))}
		}
		return rc.instance(r)
	case "SnapshotSettingData":
		for _, a := range read[msvm.SnapshotOfVirtualSystem](rc.T, s) {
			if msvm.VMOf(a.Antecedent) == vm && rc.IntN(5) == 0 {
				return a.Dependent
			}
		}
		return nil
	case "RequestedState":
		return uint16(oneOf(rc, 1, 2, 3, 3, 4, 7, 7, 9, 15, rc.IntN(22)))
	case "StartTime":
		return oneOf[any](rc, nil, nil, rc.clock.Now().Add(time.Duration(rc.IntN(7200))*time.Second))
	case "AuthorizationEntry":
		return rc.instance(msvm.ReplicationAuthorizationSettingData{
			AllowedPrimaryHostSystem: new(oneOf(rc, "*", "*.contoso.com",
				"HV02.contoso.com")), ReplicaStorageLocation: new(`D:\`),
		})
	case "AllowedPrimaryHostSystem":
		return oneOf(rc, "*", "*.contoso.com", "HV02.contoso.com")
	case "SettingData":
		r := read[msvm.ReplicationServiceSettingData](rc.T, s)[0]
		r.RecoveryServerEnabled, r.MonitoringInterval = new(rc.IntN(4) > 0), new(uint32(3600*(1+rc.IntN(20))))
		return rc.instance(r)
	case "NetworkSettings":
		return []string{string(rc.instance(msvm.FailoverNetworkAdapterSettingData{
			DHCPEnabled: new(true),
			IPAddresses: []string{},
		}))}
	}
	switch p.Type {
	case msvm.TypeString:
		return oneOf(rc, "HV01", "HV02", "HV03")
	case msvm.TypeUint16:
		return uint16(1 + rc.IntN(3))
	case msvm.TypeBoolean:
		return rc.IntN(2) == 0
	}
	return nil
}

func (rc *randomCaller) instance(v wmiquery.Instance) wmiquery.Embedded {
	text, err := cimxml.Marshal(v.WMIClass().Name, v)
	if err != nil {
		rc.Fatal(err)
	}
	return wmiquery.Embedded(text)
}

// Invariants hold after any sequence of calls. The result depends on the calls and their times, but not
// on reads between them.
func TestInvariantsHoldAfterRandomCalls(t *testing.T) {
	codes := map[string]map[uint32]int{}
	for seed := range uint64(16) {
		run := func(look bool) *randomCaller {
			w, c := newWorld(t, simulator.Config{Seed: seed, VMs: 24})
			rc := &randomCaller{t, rand.New(rand.NewPCG(seed, 7)), w, c, 1 + int(seed%12), nil, codes}
			for range 600 {
				rc.step()
				if !look {
					continue
				}
				if err := w.Invariants(); err != nil {
					t.Fatalf("seed %d: %v after\n%s", seed, err, rc.history(err.Error()[:36]))
				}
			}
			return rc
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
		t.Errorf("only %d of %d methods succeeded at least once: %v", worked, all, codes)
	}
}

// Many sessions can call methods concurrently.
func TestConcurrentCalls(t *testing.T) {
	w, c := newWorld(t, simulator.Config{Seed: 1})
	var all sync.WaitGroup
	for i := range uint64(6) {
		all.Go(func() {
			rc := &randomCaller{t, rand.New(rand.NewPCG(1, i)), w, c, 5, nil, map[string]map[uint32]int{}}
			for range 60 {
				rc.step()
			}
		})
	}
	all.Wait()
	if err := w.Invariants(); err != nil {
		t.Error(err)
	}
}
