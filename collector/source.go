package collector

import (
	"errors"
	"fmt"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Source is something that a collector reads: the instances of a class or, with
// a method, what an object of the class answers.
type Source struct {
	wmiquery.Class
	Method string // "" for the instances

	row wmiquery.Instance // of the class
}

// rowsOf are the instances of classes.
func rowsOf(classes ...wmiquery.Instance) []Source {
	var all []Source
	for _, row := range classes {
		all = append(all, Source{Class: row.WMIClass(), row: row})
	}
	return all
}

// answerOf is what an object of a class answers to a method.
func answerOf(class wmiquery.Instance, method string) Source {
	return Source{Class: class.WMIClass(), Method: method, row: class}
}

// LackedBy names the Windows with Hyper-V that do not have it, "" if all have.
func (s Source) LackedBy() string { return lackedBy[s.Name] }

// lackedBy has the classes that not every Windows with Hyper-V has. That one of
// them is missing is no failure; that another is, is one.
var lackedBy = map[string]string{
	msvm.ReplicationRelationship{}.WMIClass().Name: "Windows Server 2012",
	msvm.ReplicationProvider{}.WMIClass().Name:     "Windows Server 2012",
	msvm.ReplicaPerformance{}.WMIClass().Name:      "client editions of Windows",
}

// lackError is that a host with Hyper-V does not have a class of lackedBy.
type lackError struct{ class string }

func (e *lackError) Error() string {
	return fmt.Sprintf("%s is missing, as on %s", e.class, lackedBy[e.class])
}

// Is matches ErrUnsupported.
func (e *lackError) Is(target error) bool { return target == wmiquery.ErrUnsupported }

// lacks tells whether a class is missing that may be, whatever else is wrong.
func lacks(err error) bool {
	var lack *lackError
	return errors.As(err, &lack)
}

// onlyLacks tells whether nothing else is wrong than that.
func onlyLacks(err error) bool {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return lacks(err)
	}
	for _, e := range several.Unwrap() {
		if !onlyLacks(e) {
			return false
		}
	}
	return true
}
