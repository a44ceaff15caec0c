package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Faults are the active faults. They change what clients of the hosts see, not the simulated hosts
// themselves. The zero value has no faults. FaultNames describes each fault, in the order of the fields.
type Faults struct {
	Denied              bool
	ClassMissing        []string      // names of classes of package msvm
	Slow                time.Duration // duration of every read and call; 0 means no delay
	Hung                bool
	HungAt              []string // names of classes and methods
	RelationshipFailing bool
	RelationshipHung    bool
	Nulls               bool
	UnknownEnum         bool
	DuplicateNames      bool
	HostileNames        bool
	Disconnected        bool
	ServiceError        bool
	StatisticsJob       bool
	StatisticsEmpty     bool
	MethodFailing       []string // names of methods; "" stands for every method that changes something
	JobFailing          bool
	Saved               bool
	FailoverNetworkIDs  bool
	ClockBack           time.Duration // how far the clock of the hosts was set back; 0 means that it was not
	InvalidValue        []string      // properties as CLASS.PROPERTY; "" stands for all properties that are not text
}

// Fault is the name of a fault as ParseFaults accepts it, with its parameter, and its description.
type Fault struct{ Name, Help string }

// fault defines a fault: its syntax, its description, and how it is set.
type fault struct {
	name  string
	value string // placeholder of the parameter; in brackets if it is optional; "" if there is none
	help  string
	set   func(f *Faults, value string) error
}

// faults are all faults.
var faults = []fault{
	{
		"denied", "",
		"reads return no rows and calls are denied, as for an account without permissions.",
		setFlag(func(f *Faults) *bool { return &f.Denied }),
	},
	{
		"class-missing", "CLASS",
		"the class does not exist, as in a damaged WMI repository.",
		addClass,
	},
	{
		"slow", "[DURATION]", "every read and call takes this long; the default is 2s.",
		setDuration("2s", func(f *Faults) *time.Duration { return &f.Slow }),
	},
	{
		"hung", "[CLASS|METHOD]",
		"reads and calls, or only those of this class or method, get no answer while the fault is active.",
		setHung,
	},
	{
		"relationship-failing", "",
		"calls for the statistics of the first replicating relationship fail.",
		setFlag(func(f *Faults) *bool { return &f.RelationshipFailing }),
	},
	{
		"relationship-hung", "",
		"calls for the statistics of the first replicating relationship get no answer while the fault is active.",
		setFlag(func(f *Faults) *bool { return &f.RelationshipHung }),
	},
	{
		"nulls", "", "every property that can be null is null.",
		setFlag(func(f *Faults) *bool { return &f.Nulls }),
	},
	{
		"unknown-enum", "",
		"states, health, modes, types and severities have an undocumented number.",
		setFlag(func(f *Faults) *bool { return &f.UnknownEnum }),
	},
	{
		"duplicate-names", "", "all VMs have the same name.",
		setFlag(func(f *Faults) *bool { return &f.DuplicateNames }),
	},
	{
		"hostile-names", "",
		"VM names contain quotes, markup, line breaks and characters of many scripts.",
		setFlag(func(f *Faults) *bool { return &f.HostileNames }),
	},
	{
		"disconnected", "", "the connection to the host is lost.",
		setFlag(func(f *Faults) *bool { return &f.Disconnected }),
	},
	{
		"service-error", "",
		"the replication service reports that a listener is not running.",
		setFlag(func(f *Faults) *bool { return &f.ServiceError }),
	},
	{
		"statistics-job", "", "the host starts a job instead of returning statistics.",
		setFlag(func(f *Faults) *bool { return &f.StatisticsJob }),
	},
	{
		"statistics-empty", "", "the host returns no statistics.",
		setFlag(func(f *Faults) *bool { return &f.StatisticsEmpty }),
	},
	{
		"method-failing", "[METHOD]",
		"calls of this method, or of every method that changes something, fail.",
		addMethod,
	},
	{
		"job-failing", "", "jobs fail halfway.",
		setFlag(func(f *Faults) *bool { return &f.JobFailing }),
	},
	{
		"saved", "", "all VMs are saved, with the numbers that Microsoft's documents have for that state.",
		setFlag(func(f *Faults) *bool { return &f.Saved }),
	},
	{
		"failover-network-ids", "",
		"instances of Msvm_FailoverNetworkAdapterSettingData have an InstanceID, which is documented as always null.",
		setFlag(func(f *Faults) *bool { return &f.FailoverNetworkIDs }),
	},
	{
		"clock-back", "[DURATION]",
		"times of past events are this much later, as if the clock had been set back after them; the default is 1h.",
		setDuration("1h", func(f *Faults) *time.Duration { return &f.ClockBack }),
	},
	{
		"invalid-value", "[CLASS.PROPERTY]",
		"this property, or every property that is not text, has a value that its type does not allow, in every second " +
			"instance; a key is empty there.",
		addProperty,
	},
}

func setFlag(field func(*Faults) *bool) func(*Faults, string) error {
	return func(f *Faults, _ string) error { *field(f) = true; return nil }
}

func addClass(f *Faults, value string) error {
	if !slices.Contains(classNames(), value) {
		return fmt.Errorf("unknown class %q, known classes are %s", value, strings.Join(classNames(), ", "))
	}
	f.ClassMissing = append(f.ClassMissing, value)
	return nil
}

func addMethod(f *Faults, value string) error {
	if value != "" && !slices.Contains(methodNames(), value) {
		return fmt.Errorf("unknown method %q, known methods are %s", value, strings.Join(methodNames(), ", "))
	}
	f.MethodFailing = append(f.MethodFailing, value)
	return nil
}

// methodFails reports whether calls of the method fail.
func (f Faults) methodFails(m msvm.Method) bool {
	return slices.Contains(f.MethodFailing, m.Name) || !m.Reads && slices.Contains(f.MethodFailing, "")
}

// jobFailure returns the reason why a job that starts now will fail, or nil if it will not.
func (f Faults) jobFailure() *failure {
	if !f.JobFailing {
		return nil
	}
	return newFailure(wmiquery.CodeFailed, "Unspecified error (0x80004005).")
}

func setDuration(ifEmpty string, field func(*Faults) *time.Duration) func(*Faults, string) error {
	return func(f *Faults, value string) error {
		d, err := time.ParseDuration(cmp.Or(value, ifEmpty))
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a positive duration such as 500ms or 2s", value)
		}
		*field(f) = d
		return nil
	}
}

func setHung(f *Faults, value string) error {
	switch {
	case value == "":
		f.Hung = true
	case slices.Contains(classNames(), value) || slices.Contains(methodNames(), value):
		f.HungAt = append(f.HungAt, value)
	default:
		return fmt.Errorf("unknown class or method %q, known classes and methods are %s", value,
			strings.Join(append(classNames(), methodNames()...), ", "))
	}
	return nil
}

func classNames() []string {
	var names []string
	for _, c := range msvm.Classes() {
		names = append(names, c.WMIClass().Name)
	}
	return names
}

func methodNames() []string {
	var names []string
	for _, m := range msvm.Methods() {
		if !slices.Contains(names, m.Name) { // several classes have a RequestStateChange
			names = append(names, m.Name)
		}
	}
	return names
}

// syntax is how the fault is written, with its parameter.
func (f fault) syntax() string {
	switch v, optional := strings.CutPrefix(f.value, "["); {
	case f.value == "":
		return f.name
	case optional:
		return f.name + "[=" + v
	default:
		return f.name + "=" + f.value
	}
}

// FaultNames returns all faults, for help texts.
func FaultNames() []Fault {
	var names []Fault
	for _, f := range faults {
		names = append(names, Fault{f.syntax(), f.help})
	}
	return names
}

// ParseFaults parses faults such as "denied", "slow" or "slow=500ms". FaultNames lists their syntax.
// Faults with a class or a method can be repeated.
func ParseFaults(specs []string) (Faults, error) {
	var parsed Faults
	var errs []error
	for _, spec := range specs {
		if err := parsed.parse(spec); err != nil {
			errs = append(errs, fmt.Errorf("fault %q: %w", spec, err))
		}
	}
	if len(errs) > 0 {
		return Faults{}, errors.Join(errs...)
	}
	return parsed, nil
}

func (f *Faults) parse(spec string) error {
	name, value, hasValue := strings.Cut(spec, "=")
	i := slices.IndexFunc(faults, func(x fault) bool { return x.name == name })
	if i < 0 {
		known := make([]string, len(faults))
		for i, x := range faults {
			known[i] = x.syntax()
		}
		return fmt.Errorf("unknown fault, known faults are %s", strings.Join(known, ", "))
	}
	known := faults[i]
	optional := known.value == "" || known.value[0] == '['
	if hasValue && (known.value == "" || value == "") || !hasValue && !optional {
		return fmt.Errorf("the syntax is %s", known.syntax())
	}
	return known.set(f, value)
}
