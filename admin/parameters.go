package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// fill gives a plan its parameters: those that are asked for, and those that
// follow from the target. Recovery points are looked for later.
func (v *hostView) fill(p *plan, b *body) *problem {
	p.object = v.object(p.method, p.vm)
	for _, parameter := range p.method.In {
		text, given := b.Parameters[parameter.Name]
		if given && string(text) == "null" && parameter.Optional {
			given = false
		}
		find := v.follows
		if given {
			find = func(p *plan, parameter msvm.Parameter) (any, any, error) { return v.value(p, parameter, text) }
		}
		value, shown, err := find(p, parameter)
		if problem, ok := errors.AsType[*problemError](err); ok {
			return problem.p
		}
		if err != nil {
			return refuse(kindParameter, "%s: %v", parameter.Name, err)
		}
		if value == nil && !parameter.Optional {
			return refuse(kindParameter, "%s is missing: %s", parameter.Name, describe(parameter))
		}
		p.in = append(p.in, wmiquery.Param{Name: parameter.Name, Value: value})
		if shown != nil {
			p.shown[parameter.Name] = shown
		}
	}
	return p.limits()
}

// problemError carries a problem as an error.
type problemError struct{ p *problem }

func (e *problemError) Error() string { return e.p.detail }

// limits refuses values that are of the right type and cannot be meant, and raises
// the role where a value is more than the verb: an export writes disks to a folder.
func (p *plan) limits() *problem {
	for _, in := range p.in {
		n, _ := in.Value.(uint16)
		switch in.Name {
		case "InitialReplicationType":
			if n < 1 || n > 3 {
				return refuse(kindParameter, "InitialReplicationType is 1 (over the network), 2 (by export) or 3 (onto a VM that is there)")
			}
			if n == 2 {
				if !p.raw {
					return refuse(kindParameter, "InitialReplicationType 2 (by export) needs a folder, which this action does not take: POST /api/v1/methods/%s does", p.method.Name)
				}
				p.needs = max(p.needs, owner)
			}
		case "TimeoutPeriod":
			if in.Value != nil {
				return refuse(kindParameter, "TimeoutPeriod is ignored by the host; leave it out")
			}
		}
	}
	return nil
}

func describe(p msvm.Parameter) string {
	text := string(p.Type)
	if p.Class != "" {
		text += " of " + p.Class
	}
	return text
}

// value reads a parameter from JSON, and gives it as the host takes it and as it is
// shown.
func (v *hostView) value(p *plan, parameter msvm.Parameter, text json.RawMessage) (value, shown any, err error) {
	var given any
	if err := json.Unmarshal(text, &given); err != nil || !carried(given) {
		return nil, nil, errors.New("it has a character that cannot be sent to the host, such as a control character")
	}
	switch parameter.Type {
	case msvm.TypeReference:
		return v.reference(p, parameter, text)
	case msvm.TypeEmbedded:
		return v.instance(p, parameter.Class, text)
	case msvm.TypeEmbeddedArray:
		return v.instances(p, parameter.Class, text)
	case msvm.TypeString:
		return plain[string](text)
	case msvm.TypeStringArray:
		return plain[[]string](text)
	case msvm.TypeBoolean:
		return plain[bool](text)
	case msvm.TypeUint16:
		return plain[uint16](text)
	case msvm.TypeDatetime:
		return v.startTime(text)
	}
	return nil, nil, fmt.Errorf("a %s cannot be given", parameter.Type)
}

// carried tells whether the host gets all text of a JSON value as it is.
func carried(given any) bool {
	switch x := given.(type) {
	case string:
		return cimxml.Representable(x)
	case []any:
		return !slices.ContainsFunc(x, func(one any) bool { return !carried(one) })
	case map[string]any:
		for name, one := range x {
			if !cimxml.Representable(name) || !carried(one) {
				return false
			}
		}
	}
	return true
}

func plain[T any](text json.RawMessage) (value, shown any, err error) {
	var x T
	if err := json.Unmarshal(text, &x); err != nil || string(text) == "null" {
		return nil, nil, fmt.Errorf("%.40s is no %T", text, x)
	}
	return x, x, nil
}

// maxDelay is how far ahead something can be scheduled, as Microsoft's client
// checks.
const maxDelay = 7 * 24 * time.Hour

func (v *hostView) startTime(text json.RawMessage) (value, shown any, err error) {
	var t time.Time
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, nil, fmt.Errorf("%.40s is no time such as \"2026-12-01T20:00:00Z\"", text)
	}
	if !t.After(v.now) || t.After(v.now.Add(maxDelay)) {
		return nil, nil, fmt.Errorf("%s is not in the next seven days; it is %s on the host", t.Format(time.RFC3339), v.now.Format(time.RFC3339))
	}
	return cimxml.FormatTime(t), t.UTC(), nil
}

// reference reads the GUID of a VM, or the InstanceID of a recovery point, or a
// path of either.
func (v *hostView) reference(p *plan, parameter msvm.Parameter, text json.RawMessage) (value, shown any, err error) {
	var s string
	if err := json.Unmarshal(text, &s); err != nil || s == "" {
		return nil, nil, fmt.Errorf("%.40s is no string", text)
	}
	if parameter.Class == "Msvm_ComputerSystem" {
		id, problem := v.vmGiven(s)
		if problem != nil {
			return nil, nil, &problemError{problem}
		}
		if parameter.Name == "AffectedSystem" {
			if problem := v.deletable(id); problem != nil {
				return nil, nil, &problemError{problem}
			}
			p.tested = true
		} else if id != p.vm {
			return nil, nil, fmt.Errorf("it is not the VM %s", p.vm)
		}
		return msvm.VMRef(id), id, nil
	}
	path := wmiquery.Relative(s)
	for _, point := range p.points {
		if s == point.InstanceID || strings.EqualFold(string(path), string(point.Ref())) {
			p.point = &point
			return point.Ref(), point.InstanceID, nil
		}
	}
	return nil, nil, &problemError{refuse(kindNotFound, "the VM has no recovery point %.80q", s)}
}

// vmGiven is the GUID of a VM that is given by it or by its path.
func (v *hostView) vmGiven(s string) (string, *problem) {
	id := guid(s)
	if _, ok := v.systems[id]; !ok {
		return "", refuse(kindNotFound, "this host has no VM %.80q", s)
	}
	return id, nil
}

// instance reads an embedded instance. Where the host expects the whole of one, it
// begins as the host has it.
func (v *hostView) instance(p *plan, class string, text json.RawMessage) (value, shown any, err error) {
	base, err := v.base(p, class, text)
	if err != nil {
		return nil, nil, err
	}
	key, before := keyOf(base), settingsOf(base)
	if err := merge(base, text); err != nil {
		return nil, nil, err
	}
	if keyOf(base) != key {
		return nil, nil, fmt.Errorf("InstanceID cannot be changed")
	}
	if less := before.lost(settingsOf(base)); less != "" && p.destroys == "" {
		p.destroys = less
	}
	return wire(base)
}

func (v *hostView) instances(p *plan, class string, text json.RawMessage) (value, shown any, err error) {
	var all []json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil || all == nil {
		return nil, nil, fmt.Errorf("%.40q is no array", text)
	}
	texts, shownAll := []string{}, []any{}
	for i, one := range all {
		value, shown, err := v.instance(p, class, one)
		if err != nil {
			return nil, nil, fmt.Errorf("element %d: %w", i, err)
		}
		texts = append(texts, string(value.(wmiquery.Embedded)))
		shownAll = append(shownAll, shown)
	}
	return texts, shownAll, nil
}

func wire(instance wmiquery.Instance) (value, shown any, err error) {
	text, properties, err := embed(instance)
	return text, properties, err
}

// guards are settings whose loss destroys something.
type guards struct {
	accepts bool // the host is a replica server
	history uint16
	disks   []string
}

func settingsOf(instance wmiquery.Instance) guards {
	switch i := instance.(type) {
	case *msvm.ReplicationServiceSettingData:
		return guards{accepts: i.RecoveryServerEnabled != nil && *i.RecoveryServerEnabled}
	case *msvm.ReplicationSettingData:
		g := guards{disks: i.IncludedDisks}
		if i.RecoveryHistory != nil {
			g.history = *i.RecoveryHistory
		}
		return g
	}
	return guards{}
}

// lost is what a change of settings destroys.
func (g guards) lost(to guards) string {
	switch {
	case g.accepts && !to.accepts:
		return "the way in for all VMs that replicate to this host"
	case to.history < g.history:
		return "the recovery points that are no longer kept"
	case slices.ContainsFunc(g.disks, func(d string) bool { return !slices.Contains(to.disks, d) }):
		return "the replica of the disks that are left out"
	}
	return ""
}

// keyOf is the InstanceID of what has one that must stay.
func keyOf(instance wmiquery.Instance) string {
	switch i := instance.(type) {
	case *msvm.ReplicationSettingData:
		return i.InstanceID
	case *msvm.ReplicationServiceSettingData:
		return i.InstanceID
	case *msvm.ReplicationRelationship:
		return i.InstanceID
	}
	return ""
}
