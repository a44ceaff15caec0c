package collector_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/logging/loggingtest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// twoHosts is a VM that replicates from HV01 to HV02, with an exporter on each host.
type twoHosts struct {
	*testing.T
	clock    *fakeClock
	sessions map[string]wmiquery.Session
	rigs     map[string]*testRig
	vm       string
}

func newTwoHosts(t *testing.T) *twoHosts {
	t.Helper()
	h := &twoHosts{
		T: t, clock: newFakeClock(), sessions: map[string]wmiquery.Session{}, rigs: map[string]*testRig{},
	}
	world, err := simulator.New(simulator.Config{VMs: 1, Seed: 1, Now: h.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"HV01", "HV02"} {
		session, err := world.OpenHost(host)()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(session.Close)
		pool := wmiquery.NewPool(wmiquery.PoolOptions{
			Open: world.OpenHost(host), Now: world.Now, Workers: 1, StuckAfter: time.Minute, MaxStuck: 1,
		})
		t.Cleanup(pool.Close)
		logs := &loggingtest.Buffer{}
		h.sessions[host], h.rigs[host] = session, &testRig{logs: logs, scraper: newScraper(pool, logs)}
	}
	h.vm = strings.TrimPrefix(h.relationship("HV01"), "Microsoft:")[:36]
	return h
}

// relationship is the InstanceID of the primary relationship on a host.
func (h *twoHosts) relationship(host string) string {
	h.Helper()
	var rows []msvm.ReplicationRelationship
	if err := h.sessions[host].Read(&rows); err != nil || len(rows) == 0 {
		h.Fatalf("relationships: %v, %d rows", err, len(rows))
	}
	return rows[0].InstanceID
}

// call calls a method, and waits for its job.
func (h *twoHosts) call(host string, object wmiquery.Ref, method string, in ...wmiquery.Param) {
	h.Helper()
	reply, err := h.sessions[host].Call(wmiquery.Call{
		Namespace: `root\virtualization\v2`, Object: object, Method: method, In: in,
	})
	if err != nil || reply.Code != 0 && reply.Code != 4096 {
		h.Fatalf("%s: %v, code %d", method, err, reply.Code)
	}
	h.clock.Advance(2 * time.Minute)
}

// service calls a method of the replication service for the VM.
func (h *twoHosts) service(host, method string, in ...wmiquery.Param) {
	h.Helper()
	var rows []msvm.ReplicationService
	if err := h.sessions[host].Read(&rows); err != nil || len(rows) != 1 {
		h.Fatalf("services: %v, %d rows", err, len(rows))
	}
	h.call(host, rows[0].Ref(), method, append(in, wmiquery.Param{Name: "ComputerSystem", Value: msvm.VMRef(h.vm)})...)
}

// want checks the metrics of the VM on a host: mode, state, health, whether the VM runs, and the servers at both ends.
func (h *twoHosts) want(step, host, want string) {
	h.Helper()
	got := map[string]string{}
	for series, value := range parseSeries(h.rigs[host].gather(h.T, time.Minute)) {
		if strings.Contains(series, h.vm) && labelValue(series, "relationship") != "extended" {
			got[series] = value
		}
	}
	shown := []string{
		currentState(h.T, got, "mode", "mode"), currentState(h.T, got, "state", "state"),
		currentState(h.T, got, "health", "health"),
	}
	for _, running := range valuesOf(got, "vm_running", "vm_id") {
		shown = append(shown, map[string]string{"0": "off", "1": "runs"}[running])
	}
	for primary := range valuesOf(got, "relationship_info", "primary_server") {
		for replica := range valuesOf(got, "relationship_info", "replica_server") {
			shown = append(shown, primary+" to "+replica)
		}
	}
	if text := strings.Join(shown, ", "); text != want {
		h.Errorf("%s, on %s: the metrics are %q, want %q", step, host, text, want)
	}
}

// The metrics of both hosts follow a planned failover and the power of the VM: shutdown, preparation, failover, reverse,
// start. Health is a warning between the failover and the reverse.
//
// Source: Microsoft virtualization team blog, for the health.
func TestMetricsDuringAPlannedFailoverWithPower(t *testing.T) {
	h := newTwoHosts(t)
	const forward, back = "HV01.contoso.com to HV02.contoso.com", "HV02.contoso.com to HV01.contoso.com"
	vm := msvm.VMRef(h.vm)
	h.want("at the start", "HV01", "primary, replicating, ok, runs, "+forward)
	h.want("at the start", "HV02", "replica, replicating, ok, off, "+forward)

	var components []msvm.ShutdownComponent
	if err := h.sessions["HV01"].Read(&components); err != nil || len(components) != 1 {
		t.Fatalf("shutdown services: %v, %d rows", err, len(components))
	}
	h.call("HV01", components[0].Ref(), "InitiateShutdown", wmiquery.Param{Name: "Force", Value: false},
		wmiquery.Param{Name: "Reason", Value: "planned failover"})
	h.want("shut down", "HV01", "primary, replicating, ok, off, "+forward)
	h.want("shut down", "HV02", "replica, replicating, ok, off, "+forward)

	h.call("HV01", vm, "RequestReplicationStateChangeEx", wmiquery.Param{Name: "RequestedState", Value: uint16(4)})
	h.want("prepared", "HV01", "primary, synced_replication_complete, ok, off, "+forward)
	h.want("prepared", "HV02", "replica, replicating, ok, off, "+forward)

	h.service("HV02", "InitiateFailover")
	h.want("failed over", "HV01", "primary, synced_replication_complete, ok, off, "+forward)
	h.want("failed over", "HV02", "replica, recovered, warning, off, "+forward)

	h.service("HV02", "ReverseReplicationRelationship", h.reverseSettings("HV02", "HV01.contoso.com"))
	h.want("reversed", "HV01", "replica, replicating, ok, off, "+back)
	h.want("reversed", "HV02", "primary, replicating, ok, off, "+back)

	h.call("HV02", vm, "RequestStateChange", wmiquery.Param{Name: "RequestedState", Value: uint16(2)})
	h.want("started", "HV01", "replica, replicating, ok, off, "+back)
	h.want("started", "HV02", "primary, replicating, ok, runs, "+back)

	h.call("HV02", vm, "RequestStateChange", wmiquery.Param{Name: "RequestedState", Value: uint16(3)})
	h.want("turned off", "HV02", "primary, replicating, ok, off, "+back)
}

// reverseSettings are the settings of the relationship on a host with another replica server, as a parameter.
func (h *twoHosts) reverseSettings(host, server string) wmiquery.Param {
	h.Helper()
	var rows []msvm.ReplicationSettingData
	if err := h.sessions[host].Read(&rows); err != nil {
		h.Fatal(err)
	}
	for _, s := range rows {
		if s.InstanceID != h.relationship(host) {
			continue
		}
		s.RecoveryConnectionPoint = &server
		text, err := cimxml.Marshal("Msvm_ReplicationSettingData", s)
		if err != nil {
			h.Fatal(err)
		}
		return wmiquery.Param{Name: "ReplicationSettingData", Value: wmiquery.Embedded(text)}
	}
	h.Fatalf("no settings on %s", host)
	return wmiquery.Param{}
}
