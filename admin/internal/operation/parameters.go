package operation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// bindParameters gives a plan the parameters of its method: those in the request, and defaults for the others.
func bindParameters(ctx context.Context, r wmiquery.Reader, s *Snapshot, p *Plan, req *Request) *problem.Problem {
	var err error
	p.input, err = loadPlanInput(ctx, r, p.Method, p.VM, req.Parameters)
	if bad := readProblem(err); bad != nil {
		return bad
	}
	p.Object = cmp.Or(p.Object, p.input.shutdown)
	for _, parameter := range p.Method.In {
		text, given := req.Parameters[parameter.Name]
		if given && string(text) == "null" && parameter.Optional {
			given = false
		}
		var value, shown any
		var err error
		if given {
			if parameter.Type != msvm.TypeEmbedded && parameter.Type != msvm.TypeEmbeddedArray { // they have properties
				p.given = append(p.given, parameter.Name)
			}
			value, shown, err = parseParameter(s, p, parameter, text)
		} else {
			value, shown, err = defaultParameter(s, p, parameter)
		}
		if bad, ok := problem.FromError(err); ok {
			return bad
		}
		if err != nil {
			return problem.New(problem.InvalidParameter, "%s: %v", parameter.Name, err)
		}
		if value == nil && !parameter.Optional {
			return problem.New(problem.InvalidParameter, "%s: missing; give a %s", parameter.Name, describeType(parameter))
		}
		p.in = append(p.in, wmiquery.Param{Name: parameter.Name, Value: value})
		if shown != nil {
			p.Parameters[parameter.Name] = shown
		}
	}
	return checkValues(p)
}

// checkValues rejects values that have the right type but make no sense. It also raises what the plan needs: an export
// writes disks to a folder, which needs more than the action's role.
func checkValues(p *Plan) *problem.Problem {
	for _, in := range p.in {
		n, _ := in.Value.(uint16)
		switch in.Name {
		case "InitialReplicationType":
			if n < 1 || n > 3 {
				return problem.New(problem.InvalidParameter,
					"InitialReplicationType: must be 1 (over the network), 2 (by export) or 3 (onto an existing VM)")
			}
			if n == 2 && !p.explicit {
				return problem.New(problem.InvalidParameter, "InitialReplicationType: 2 (by export) needs a folder, "+
					"which this action has no parameter for; use POST /api/v1/methods/%s", p.Method.Name)
			}
			if n == 2 {
				p.Role = max(p.Role, authz.RoleOwner)
				p.Destroys = "the confidentiality of the VM's data, which is written to a folder"
			}
		case "Force":
			if in.Value == true {
				p.Destroys = "what programs of the guest operating system have not saved"
			}
		case "TimeoutPeriod":
			if in.Value != nil {
				return problem.New(problem.InvalidParameter, "TimeoutPeriod: ignored by the host; leave it out")
			}
		}
	}
	return nil
}

func describeType(p msvm.Parameter) string {
	text := string(p.Type)
	if p.Class != "" {
		text += " of " + p.Class
	}
	return text
}

// parseParameter returns the value of a parameter as the host takes it, and as it is shown to people.
func parseParameter(
	s *Snapshot, p *Plan, parameter msvm.Parameter, text json.RawMessage,
) (value, shown any, err error) {
	var given any
	if err := json.Unmarshal(text, &given); err != nil || !representable(given) {
		return nil, nil, errors.New("has a character that cannot be sent to the host, such as a control character")
	}
	switch parameter.Type {
	case msvm.TypeReference:
		return parseReference(s, p, parameter, text)
	case msvm.TypeEmbedded:
		return parseInstance(s, p, parameter.Class, text)
	case msvm.TypeEmbeddedArray:
		return parseInstances(s, p, parameter.Class, text)
	case msvm.TypeString:
		return parsePlain[string](text)
	case msvm.TypeStringArray:
		return parsePlain[[]string](text)
	case msvm.TypeBoolean:
		return parsePlain[bool](text)
	case msvm.TypeUint16:
		return parsePlain[uint16](text)
	case msvm.TypeDatetime:
		return parseStartTime(s, text)
	}
	return nil, nil, fmt.Errorf("cannot give a %s", parameter.Type)
}

// representable reports whether CIM-XML can represent every string in a JSON value.
func representable(value any) bool {
	switch x := value.(type) {
	case string:
		return cimxml.Representable(x)
	case []any:
		return !slices.ContainsFunc(x, func(one any) bool { return !representable(one) })
	case map[string]any:
		for name, one := range x {
			if !cimxml.Representable(name) || !representable(one) {
				return false
			}
		}
	}
	return true
}

func parsePlain[T any](text json.RawMessage) (value, shown any, err error) {
	var x T
	if err := json.Unmarshal(text, &x); err != nil || string(text) == "null" {
		return nil, nil, fmt.Errorf("%.40s is not a %T", text, x)
	}
	return x, x, nil
}

func parseStartTime(s *Snapshot, text json.RawMessage) (value, shown any, err error) {
	var t time.Time
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, nil, fmt.Errorf(`%.40s is not a time such as "2026-12-01T20:00:00Z"`, text)
	}
	if !msvm.ValidStartTime(t, s.Time) {
		return nil, nil, fmt.Errorf("%s is not within the next seven days; the host's time is %s",
			t.Format(time.RFC3339), s.Time.Format(time.RFC3339))
	}
	return cimxml.FormatTime(t), t.UTC(), nil
}

// parseReference reads the GUID of a VM, the InstanceID of a recovery point, or the object path of either.
func parseReference(
	s *Snapshot, p *Plan, parameter msvm.Parameter, text json.RawMessage,
) (value, shown any, err error) {
	var given string
	if err := json.Unmarshal(text, &given); err != nil || given == "" {
		return nil, nil, fmt.Errorf("%.40s is not a string", text)
	}
	if parameter.Class == msvm.ClassComputerSystem {
		id := guidOf(given)
		if _, ok := s.VM(id); !ok {
			return nil, nil, problem.AsError(problem.New(problem.NotFound, "vm %.80q: not found on this host", given))
		}
		if parameter.Name == "AffectedSystem" {
			if bad := s.checkDeletable(id); bad != nil {
				return nil, nil, problem.AsError(bad)
			}
			p.deletes(s, id)
		}
		return msvm.VMRef(id), id, nil
	}
	path := wmiquery.Relative(given)
	for _, point := range p.input.recoveryPoints {
		if given == point.InstanceID || strings.EqualFold(string(path), string(point.Ref())) {
			p.recoveryPoint = &point
			return point.Ref(), point.InstanceID, nil
		}
	}
	return nil, nil, problem.AsError(problem.New(problem.NotFound, "the VM has no recovery point %.80q", given))
}

// defaultParameter returns the value of a parameter that the request does not give. For an action it follows from the
// relationship. For a method there are no defaults.
func defaultParameter(s *Snapshot, p *Plan, parameter msvm.Parameter) (value, shown any, err error) {
	if p.explicit {
		return nil, nil, nil
	}
	switch parameter.Name {
	case "ComputerSystem":
		return msvm.VMRef(p.VM), p.VM, nil
	case "AffectedSystem":
		test, bad := s.testVM(p.Target.Key.VM)
		if bad != nil {
			return nil, nil, problem.AsError(bad)
		}
		p.deletes(s, test)
		return msvm.VMRef(test), test, nil
	case "RequestedState":
		return p.state, p.state, nil
	case "InitialReplicationType":
		return uint16(1), uint16(1), nil
	case "Force":
		return false, false, nil
	case "Reason":
		return shutdownReason, shutdownReason, nil
	case "ReplicationRelationship":
		row := p.Target.Row
		if p.Method.Name == msvm.MethodChangeReplicationModeToPrimary {
			extended := s.link(p.VM, msvm.Extended)
			if extended == nil {
				return nil, nil, problem.AsError(problem.New(problem.InvalidState, "the replica has no extended relationship"))
			}
			row = extended.Row
		}
		text, _, err := encodeInstance(&row)
		return text, map[string]any{"InstanceID": row.InstanceID}, err
	case "ReplicationSettingData":
		settings, err := settingsOfTarget(p)
		if errors.Is(err, errNoSettings) {
			return nil, nil, problem.AsError(problem.New(problem.InvalidState, "%v", err))
		}
		if err != nil {
			return nil, nil, err
		}
		return settings.encode()
	}
	if p.Method.Name == msvm.MethodTestReplicationConnection {
		return connectionParameter(p, parameter.Name)
	}
	return nil, nil, nil
}

// shutdownReason is what the event log of the guest operating system has as the reason of its shutdown.
const shutdownReason = "failover with Hyper-V Replica"

// connectionParameter returns a parameter of TestReplicationConnection from the settings of the relationship.
func connectionParameter(p *Plan, name string) (value, shown any, err error) {
	if p.Target == nil || p.Target.Settings == nil {
		return nil, nil, errNoSettings
	}
	if p.Target.errSettings != nil {
		return nil, nil, p.Target.errSettings
	}
	s := p.Target.Settings
	switch name {
	case "RecoveryConnectionPoint":
		value = valueOrNil(s.RecoveryConnectionPoint)
	case "RecoveryServerPortNumber":
		value = valueOrNil(s.RecoveryServerPortNumber)
	case "AuthenticationType":
		if s.AuthenticationType != nil {
			value = uint16(*s.AuthenticationType)
		}
	case "CertificateThumbPrint":
		value = valueOrNil(s.CertificateThumbPrint)
	case "BypassProxyServer":
		value = valueOrNil(s.BypassProxyServer)
	}
	return value, value, nil
}

// valueOrNil returns *p, and nil for a nil pointer.
func valueOrNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
