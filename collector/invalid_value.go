package collector

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// invalidValueLog counts and logs the invalid values of responses. Each response counts once, however many collectors
// and scrapes receive it.
type invalidValueLog struct {
	total  *prometheus.CounterVec
	logger *dedupLogger
}

func newInvalidValueLog(l *dedupLogger) *invalidValueLog {
	return &invalidValueLog{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: Namespace,
			Name:      "invalid_values_total",
			Help: "Values in responses of the host that the type of the property does not allow, and empty keys; property " +
				"is empty for an instance that could not be read; absent if there were none.",
		}, []string{"class", "property"}),
		logger: l,
	}
}

// maxLoggedValues is the maximum number of invalid values of a response that are logged one by one.
const maxLoggedValues = 100

// record counts the invalid values of a response to the query with a key, and logs those that the previous response to
// this query did not have.
func (l *invalidValueLog) record(key string, values []wmiquery.InvalidValue) {
	var out output
	for i, v := range values {
		l.total.WithLabelValues(v.Class, v.Property).Inc()
		switch {
		case i < maxLoggedValues:
			out.warn(fmt.Sprintf("%s %q %s %q", v.Class, v.Instance, v.Property, v.Text), "invalid value",
				"class", v.Class, "instance", v.Instance, "property", v.Property, "value", v.Text,
				"err", fmt.Sprintf("%.200v", v.Err))
		case i == maxLoggedValues:
			out.warn("more", "more invalid values, not logged", "class", v.Class, "count", len(values)-i)
		}
	}
	l.logger.logWarnings("query "+key, nil, out.warnings, true)
}

// checkKeys appends the keys of rows that are empty to the invalid values that err describes. rows is a slice of
// structs. It returns other errors unchanged.
func checkKeys(rows reflect.Value, err error) error {
	values, ok := wmiquery.InvalidValues(err)
	row := rows.Type().Elem()
	key, hasKey := keyField(row)
	if !ok || !hasKey {
		return err
	}
	class := reflect.Zero(row).Interface().(wmiquery.Instance).WMIClass().Name
	reported := map[int]bool{} // rows whose keys are invalid, and therefore empty
	for _, v := range values {
		reported[v.Row] = reported[v.Row] || v.Property == key.Name
	}
	for i := range rows.Len() {
		if rows.Index(i).FieldByIndex(key.Index).String() == "" && !reported[i] {
			values = append(values, wmiquery.InvalidValue{
				Class: class, Row: i, Instance: wmiquery.NameOf(rows.Index(i).Addr().Interface()), Property: key.Name,
				Err: errEmptyKey,
			})
		}
	}
	return wmiquery.NewInvalidValuesError(values)
}

var errEmptyKey = errors.New("the key of the instance is empty")

// keyField returns the field with the key of a class whose key is one string. It returns false for all other classes,
// and for those with a single instance, which needs no key.
func keyField(row reflect.Type) (reflect.StructField, bool) {
	switch reflect.Zero(row).Interface().(type) {
	case msvm.ReplicationService, msvm.ReplicationServiceSettingData:
		return reflect.StructField{}, false
	}
	for _, name := range [...]string{"InstanceID", "Name"} {
		if f, ok := row.FieldByName(name); ok {
			return f, f.Type.Kind() == reflect.String // a key that may be null may be empty
		}
	}
	return reflect.StructField{}, false
}

// withKeys returns the rows without those whose key is empty.
func withKeys[T wmiquery.Instance](r response) []T {
	rows := r.value.([]T)
	key, hasKey := keyField(reflect.TypeFor[T]())
	if len(r.invalid) == 0 || !hasKey {
		return rows
	}
	return slices.DeleteFunc(slices.Clone(rows), func(row T) bool {
		return reflect.ValueOf(row).FieldByIndex(key.Index).String() == ""
	})
}

// checkShown returns an error if the host has returned an invalid value that the collector would have shown: one of the
// properties in a row for which shown returns true. No properties mean all properties of the class. An instance that
// could not be read counts as well.
func checkShown[T wmiquery.Instance](v *view, shown func(T) bool, properties ...string) error {
	r := v.invalidResponse((*new(T)).WMIClass().Name)
	if len(r.invalid) == 0 {
		return nil
	}
	rows := r.value.([]T)
	var all []wmiquery.InvalidValue
	for _, i := range r.invalid {
		isShown := len(properties) == 0 || slices.Contains(properties, i.Property)
		if i.Row < 0 || isShown && shown(rows[i.Row]) {
			all = append(all, i)
		}
	}
	return newInvalidError(all)
}

// newInvalidError returns an error that names the properties of values, nil if there are none. Their instances and
// texts are in the log, see invalidValueLog.
func newInvalidError(values []wmiquery.InvalidValue) error {
	var names []string
	for _, v := range values {
		names = append(names, strings.TrimSuffix(v.Class+"."+v.Property, "."))
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("invalid values: %s", countDuplicates(names))
}

// The following functions are arguments of checkShown. A row with an empty key may belong to any VM.

// every selects all rows of a class.
func every[T any](T) bool { return true }

// isVM selects the VMs, without the host.
func isVM(s msvm.ComputerSystem) bool { return s.Name == "" || s.IsVM() }

// vmIn returns a function that selects the VMs for whose GUID in returns true.
func vmIn(in func(id string) bool) func(msvm.ComputerSystem) bool {
	return func(s msvm.ComputerSystem) bool { return s.Name == "" || s.IsVM() && in(strings.ToUpper(s.Name)) }
}

// replicatingVMs returns a function for vmIn that selects the VMs of relationships.
func replicatingVMs(relationships map[msvm.Key]relationship) func(id string) bool {
	return func(id string) bool {
		_, primary := relationships[msvm.Key{VM: id, Link: msvm.Primary}]
		_, extended := relationships[msvm.Key{VM: id, Link: msvm.Extended}]
		return primary || extended
	}
}

// isReplicating selects the relationships that replicate.
func isReplicating(r msvm.ReplicationRelationship) bool { return r.InstanceID == "" || r.Replicates() }
