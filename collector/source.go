package collector

import (
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Source is a source of a collector's data: the instances of a class, the result of
// a method of the class, or what an association connects with an object.
type Source struct {
	wmiquery.Class
	Method string // empty for the instances of the class, AssociatorsOf for an association

	prototype wmiquery.Instance // an instance of the class
}

// instancesOf returns the sources for the instances of the classes.
func instancesOf(classes ...wmiquery.Instance) []Source {
	var all []Source
	for _, class := range classes {
		all = append(all, Source{Class: class.WMIClass(), prototype: class})
	}
	return all
}

// resultOf returns the source for the result of a method of the class.
func resultOf(class wmiquery.Instance, method string) Source {
	return Source{Class: class.WMIClass(), Method: method, prototype: class}
}

// MissingOn names the versions of Windows with Hyper-V that do not have the class.
// It is empty if all have it.
func (s Source) MissingOn() string { return missingOn[s.Name] }

// missingOn names the versions of Windows with Hyper-V that do not have a class,
// by class. If another class is missing, the collector fails.
var missingOn = map[string]string{
	msvm.ReplicaPerformance{}.WMIClass().Name: "client editions of Windows",
}
