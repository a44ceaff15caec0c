package collector

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// perRelationship returns the label names of a metric that has one or more
// series per relationship; more are the labels besides those of the relationship.
func perRelationship(more ...string) []string {
	return slices.Concat([]string{"vm", "vm_id", "relationship"}, more)
}

// perVM returns the label names of a metric that has one or more series per VM;
// more are the labels besides those of the VM.
func perVM(more ...string) []string { return slices.Concat([]string{"vm", "vm_id"}, more) }

// labels are the labels of a series, sorted by name as the exposition requires.
// Series share them, so they must not be modified.
type labels []*dto.LabelPair

// newLabels returns the labels with the given names and values, which alternate.
func newLabels(namesAndValues ...string) labels {
	var out labels
	for pair := range slices.Chunk(namesAndValues, 2) {
		out = out.with(label(pair[0], pair[1]))
	}
	return out
}

// newRelationshipLabels returns the labels of the relationship k of a VM.
func newRelationshipLabels(vmName string, k msvm.Key) labels {
	return newLabels("relationship", string(k.Link), "vm", displayName(vmName, k.VM), "vm_id", k.VM)
}

// newVMLabels returns the labels of a VM. Its id is a GUID in upper case.
func newVMLabels(name, id string) labels {
	return newLabels("vm", displayName(name, id), "vm_id", id)
}

// displayName returns the name of a VM, or its GUID if the name is blank.
func displayName(name, id string) string {
	if strings.TrimSpace(name) == "" {
		return id
	}
	return name
}

// label returns a label pair. A label value must be valid UTF-8: invalid bytes
// are replaced.
func label(name, value string) *dto.LabelPair {
	value = strings.ToValidUTF8(value, "\uFFFD")
	return &dto.LabelPair{Name: &name, Value: &value}
}

// value returns the value of a label, which the labels must have.
func (l labels) value(name string) string {
	return *l[slices.IndexFunc(l, func(p *dto.LabelPair) bool { return *p.Name == name })].Value
}

// with returns a copy of the labels that also contains p.
func (l labels) with(p *dto.LabelPair) labels {
	out := make(labels, 0, len(l)+1)
	i := 0
	for ; i < len(l) && *l[i].Name < *p.Name; i++ {
		out = append(out, l[i])
	}
	out = append(out, p)
	return append(out, l[i:]...)
}

// stateSet is the label of an enumeration: one pair per known value.
type stateSet []*dto.LabelPair

func newStateSet(name string, values []string) stateSet {
	var set stateSet
	for _, v := range values {
		set = append(set, label(name, v))
	}
	return set
}
