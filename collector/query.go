package collector

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// query reads a class of the host, or instances of it, or calls a method that only reads.
type query struct {
	key       string // queries with the same key have the same response
	operation string // name of the class or the method
	// run returns the value of the response. With a *wmiquery.InvalidValuesError it returns a value, too.
	run func(context.Context) (any, error)
	// rare means that the response changes rarely. A slow host gets the query again
	// only when half of the maximum age has passed, so that it can answer the others
	// in time.
	rare bool
	// onResponse, if not nil, is called once with the value of each good response
	// that is not dropped. It must not use the queryCache, which is locked then.
	onResponse func(value any)
}

// response is the response of the host to a query.
type response struct {
	value   any
	at      time.Time // by the host's clock
	err     error
	invalid []wmiquery.InvalidValue // the values that are missing in value
}

// isNoAnswer reports whether the host did not respond, as opposed to having
// responded with an error.
func isNoAnswer(err error) bool {
	return errors.Is(err, wmiquery.ErrTimeout) || errors.Is(err, wmiquery.ErrBusy) ||
		errors.Is(err, wmiquery.ErrUnavailable)
}

// table contains the instances of a class and the time when they were read, by
// the host's clock. Instances with an empty key are left out, see checkShown.
type table[T any] struct {
	rows []T
	at   time.Time
}

// errNoVisibility means that the account has no permission to read Hyper-V. In
// that case Hyper-V returns no instances of any class, not even of its
// replication service, and no error.
var errNoVisibility = fmt.Errorf("Hyper-V returns no objects, not even its replication service: "+
	"run the exporter as Administrator or as a member of Hyper-V Administrators, and check that the service vmms "+
	"is running: %w", wmiquery.ErrDenied)

// read reads all instances of T's class. If there are none, or if the class is
// missing and known to be missing on some versions of Windows, it also reads the
// replication service to make sure that the host is visible. The error is then a
// missingClassError or errNoVisibility.
func read[T wmiquery.Instance](ctx context.Context, v *view) (table[T], error) {
	var zero T
	class := zero.WMIClass().Name
	t, err := readUnchecked[T](ctx, v)
	missing := errors.Is(err, wmiquery.ErrUnsupported) && missingOn[class] != ""
	if err != nil && !missing || len(t.rows) > 0 {
		return t, err
	}
	if checkShown(v, every[T]) != nil { // there are instances, but none can be read
		return t, fmt.Errorf("%s: no instance can be read", class)
	}
	if class == (msvm.ReplicationService{}).WMIClass().Name {
		return t, errNoVisibility
	}
	services, err := readUnchecked[msvm.ReplicationService](ctx, v)
	switch {
	case err != nil:
		return t, err
	case len(services.rows) == 0 && checkShown(v, every[msvm.ReplicationService]) == nil:
		return t, errNoVisibility
	case missing:
		return t, &missingClassError{class}
	}
	return t, nil
}

// readUnchecked reads all instances of T's class, and does not check whether the
// host is visible.
func readUnchecked[T wmiquery.Instance](ctx context.Context, v *view) (table[T], error) {
	q := instancesQuery(*new(T), v.reader)
	r, err := v.get(ctx, q)
	if err != nil {
		return table[T]{}, fmt.Errorf("read %s: %w", q.operation, err)
	}
	return table[T]{withKeys[T](r), r.at}, nil
}

// instancesQuery returns the query for all instances of the class of prototype.
// The value of its response is a slice of prototype's type.
func instancesQuery(prototype wmiquery.Instance, reader wmiquery.Reader) query {
	class := prototype.WMIClass().Name
	run := func(ctx context.Context) (any, error) {
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(prototype)))
		err := reader.Read(ctx, rows.Interface())
		return rows.Elem().Interface(), checkKeys(rows.Elem(), err)
	}
	return query{key: class, operation: class, run: run, rare: hasSettings(prototype)}
}

// hasSettings reports whether a class has settings, which change only when an
// administrator changes them.
func hasSettings(class wmiquery.Instance) bool {
	switch class.(type) {
	case msvm.ReplicationSettingData, msvm.ReplicationServiceSettingData, msvm.ReplicationAuthorizationSettingData,
		msvm.ReplicationProvider, msvm.SystemReplicationRelationship, msvm.FailoverNetworkAdapterSettingData,
		msvm.EthernetPortFailoverSettingDataComponent:
		return true
	}
	return false
}
