package doctor

import (
	"context"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// callMethods calls the methods of the replication service. Without the service, it calls none.
func (h *host) callMethods(ctx context.Context) error {
	services := rowsOf[msvm.ReplicationService](h)
	if len(services) == 0 {
		return nil
	}
	service := services[0]
	samples, disabled := h.samples()
	h.total += len(samples) + 2
	for _, s := range samples {
		c, err := h.callStatistics(ctx, service, s)
		if err != nil {
			return err
		}
		h.statistics = append(h.statistics, *c)
	}
	var err error
	if disabled != nil {
		h.total++
		if h.disabled, err = h.callStatistics(ctx, service, *disabled); err != nil {
			return err
		}
	}
	if h.certificates, err = h.get(ctx, msvm.GetSystemCertificates(service)); err != nil {
		return err
	}
	h.methodProbe, err = h.get(ctx, wmiquery.Call{
		Namespace: wmiquery.Virtualization, Object: service.Ref(), Method: probeMethod,
	})
	return err
}

// sample is a relationship whose statistics are read.
type sample struct {
	about        string
	key          msvm.Key
	relationship msvm.ReplicationRelationship
	receives     bool
}

// aboutRepeated is the second call for the first relationship.
const aboutRepeated = "repeated"

// samples returns a relationship of each kind that may have different statistics, as far as the host has it: one that
// this host sends, one that it receives, one that is not healthy; and the first of them a second time. The other result
// is a VM without replication, nil if there is none.
func (h *host) samples() (samples []sample, disabled *sample) {
	vms := map[string]msvm.ComputerSystem{}
	for _, vm := range rowsOf[msvm.ComputerSystem](h) {
		vms[strings.ToUpper(vm.Name)] = vm
	}
	taken := map[string]bool{}
	add := func(s sample, about string) {
		if s.about = about; !taken[about] {
			taken[about] = true
			samples = append(samples, s)
		}
	}
	for _, r := range rowsOf[msvm.ReplicationRelationship](h) {
		key, err := msvm.ParseKey(r.InstanceID)
		if err != nil {
			continue
		}
		vm := vms[key.VM]
		mode, known := vm.Mode()
		s := sample{key: key, relationship: r, receives: known && !vm.Sends(key.Link)}
		switch {
		case !r.Replicates():
			if disabled == nil && known && mode == msvm.ModeNone {
				s.about = "without replication"
				disabled = &s
			}
		case !known:
			add(s, "unknown side")
		case s.receives:
			add(s, "receiving side")
		default:
			add(s, "sending side")
		}
		if h := r.ReplicationHealth; h != nil && *h >= msvm.HealthWarning && r.Replicates() {
			add(s, "not healthy")
		}
	}
	if len(samples) > 0 {
		repeated := samples[0]
		repeated.about = aboutRepeated
		samples = slices.Insert(samples, 1, repeated)
	}
	return samples, disabled
}

// callStatistics reads the statistics of a relationship.
func (h *host) callStatistics(ctx context.Context, service msvm.ReplicationService, s sample) (*statisticsCall, error) {
	c := &statisticsCall{about: s.about, receives: s.receives}
	var err error
	c.result, err = h.timed(ctx, msvm.MethodGetReplicationStatisticsEx, func(ctx context.Context) (err error) {
		c.reply, err = h.method.Get(ctx, h.Reader, service, s.key, s.relationship)
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.failure = c.err; c.err == nil {
		c.statistics, c.issues, c.failure = msvm.Statistics(c.reply)
	}
	if invalid, ok := wmiquery.InvalidValues(c.failure); ok {
		c.invalid, c.failure = invalid, nil
	}
	return c, nil
}

// replies returns the statistics calls that returned statistics.
func (h *host) replies() []statisticsCall {
	return slices.DeleteFunc(slices.Clone(h.statistics), func(c statisticsCall) bool { return c.failure != nil })
}
