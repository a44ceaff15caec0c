package capture

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/replay"
)

// recorder reads a host.
type recorder struct {
	Options
	done, total   int      // number of reads and calls
	failures      []string // reads and calls that failed, and those with invalid values
	services      []msvm.ReplicationService
	relationships []msvm.ReplicationRelationship // those that replicate
	vms           map[string]bool                // by GUID in upper case

	failoverSettings   []msvm.FailoverNetworkAdapterSettingData
	failoverComponents []msvm.EthernetPortFailoverSettingDataComponent
}

// record reads everything that a scrape reads, with the names of the host. A read that fails is part of the recording.
// It returns the failures, too, and an error only if ctx ends, or because of a bug in this program.
func record(ctx context.Context, o Options) (replay.Recording, []string, error) {
	r := &recorder{Options: o, vms: map[string]bool{}}
	recording := replay.Recording{
		Time: o.Reader.Now(), Build: o.Build, Language: o.Language, Version: o.Version,
	}
	classes := msvm.Classes()
	r.total = len(classes)
	for _, class := range classes {
		c, err := r.class(ctx, class)
		if err != nil {
			return recording, nil, err
		}
		recording.Classes = append(recording.Classes, c)
	}
	var err error
	if recording.Associators, err = r.failoverNetworks(ctx); err != nil {
		return recording, nil, err
	}
	for _, method := range []func(context.Context) (replay.RecordedMethod, error){r.statistics, r.certificates} {
		m, err := method(ctx)
		if err != nil {
			return recording, nil, err
		}
		recording.Methods = append(recording.Methods, m)
	}
	return recording, r.failures, nil
}

// class reads a class.
func (r *recorder) class(ctx context.Context, class wmiquery.Instance) (replay.RecordedClass, error) {
	c := replay.RecordedClass{Class: class.WMIClass()}
	rows := reflect.New(reflect.SliceOf(reflect.TypeOf(class)))
	var err error
	c.Duration, c.Err, err = r.timed(ctx, c.Class.Name, func(ctx context.Context) error {
		return r.Reader.Read(ctx, rows.Interface())
	})
	if err != nil {
		return c, err
	}
	r.report(c.Class.Name, c.Err)
	if _, ok := wmiquery.InvalidValues(c.Err); !ok {
		return c, nil
	}
	if c.Instances, err = instances(c.Class.Name, rows.Elem(), c.Err); err != nil {
		return c, err
	}
	c.Err = nil
	switch rows := rows.Interface().(type) {
	case *[]msvm.ComputerSystem:
		for _, row := range *rows {
			r.vms[strings.ToUpper(row.Name)] = row.IsVM()
		}
	case *[]msvm.FailoverNetworkAdapterSettingData:
		r.failoverSettings = *rows
	case *[]msvm.EthernetPortFailoverSettingDataComponent:
		r.failoverComponents = *rows
	case *[]msvm.ReplicationService:
		r.services = *rows
	case *[]msvm.ReplicationRelationship:
		for _, row := range *rows {
			if _, err := msvm.ParseKey(row.InstanceID); err == nil && row.Replicates() {
				r.relationships = append(r.relationships, row)
			}
		}
	}
	return c, nil
}

// instances returns rows, a slice of structs, as instances of a class. read is the error of the read, which describes
// the invalid values.
func instances(class string, rows reflect.Value, read error) ([]cimxml.Instance, error) {
	var all []cimxml.Instance
	for i := range rows.Len() {
		instance, err := cimxml.NewInstance(class, rows.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		all = append(all, instance)
	}
	invalid, _ := wmiquery.InvalidValues(read)
	for _, v := range invalid {
		if v.Row >= 0 && v.Row < len(all) {
			setInvalid(all[v.Row], v)
		}
	}
	return all, nil
}

// statistics calls GetReplicationStatisticsEx for each relationship that replicates.
func (r *recorder) statistics(ctx context.Context) (replay.RecordedMethod, error) {
	m := replay.RecordedMethod{Name: msvm.MethodGetReplicationStatisticsEx}
	if len(r.services) == 0 {
		return m, nil
	}
	r.total += len(r.relationships) + 1
	var method msvm.StatisticsMethod
	reader := &msvm.RelationshipTexts{Reader: r.Reader}
	for _, relationship := range r.relationships {
		key, _ := msvm.ParseKey(relationship.InstanceID)
		c, _, err := r.call(ctx, m.Name, func(ctx context.Context) (wmiquery.Reply, error) {
			return method.Get(ctx, reader, r.services[0], key, relationship)
		})
		if err != nil {
			return m, err
		}
		c.InstanceID = relationship.InstanceID
		r.report(m.Name+" "+c.InstanceID, c.Err)
		m.Calls = append(m.Calls, c)
	}
	return m, nil
}

// certificates calls GetSystemCertificates.
func (r *recorder) certificates(ctx context.Context) (replay.RecordedMethod, error) {
	m := replay.RecordedMethod{Name: msvm.MethodGetSystemCertificates}
	if len(r.services) == 0 {
		return m, nil
	}
	c, reply, err := r.call(ctx, m.Name, func(ctx context.Context) (wmiquery.Reply, error) {
		return r.Reader.Get(ctx, msvm.GetSystemCertificates(r.services[0]))
	})
	if err != nil {
		return m, err
	}
	if c.Err == nil {
		c.Certificates, c.Err = replay.NewRecordedCertificates(reply)
	}
	r.report(m.Name, c.Err)
	m.Calls = append(m.Calls, c)
	return m, nil
}

// call calls a method that only reads, with get.
func (r *recorder) call(
	ctx context.Context, method string, get func(context.Context) (wmiquery.Reply, error),
) (replay.RecordedCall, wmiquery.Reply, error) {
	var c replay.RecordedCall
	var reply wmiquery.Reply
	var err error
	c.Duration, c.Err, err = r.timed(ctx, method, func(ctx context.Context) (err error) {
		reply, err = get(ctx)
		return err
	})
	if err == nil && c.Err == nil {
		c.Out, err = replay.OutParameters(reply)
		for _, v := range reply.Invalid {
			r.report(method, wmiquery.NewInvalidValuesError([]wmiquery.InvalidValue{v}))
			setInvalid(c.Out, v)
		}
	}
	return c, reply, err
}

// report adds a failure, unless it is nil.
func (r *recorder) report(name string, failure error) {
	if failure != nil {
		r.failures = append(r.failures, fmt.Sprintf("%s: %v", name, failure))
	}
}

// setInvalid sets the property with an invalid value, which is null, to the text of the value. Strings become arrays
// and arrays strings, so that the value remains invalid.
func setInvalid(i cimxml.Instance, v wmiquery.InvalidValue) {
	for n, p := range i.Properties {
		if p.Name == v.Property && p.Null {
			p.Array = !p.Array && (p.Type == "string" || p.Type == "reference")
			p.Null, p.Values = false, []string{v.Text}
			i.Properties[n] = p
		}
	}
}

// timed runs a read or a call with the timeout. It returns how long it took and its failure, or an error if ctx ended.
func (r *recorder) timed(
	ctx context.Context, name string, run func(context.Context) error,
) (took time.Duration, failure, err error) {
	if r.Progress != nil {
		r.Progress(r.done, r.total, name)
	}
	r.done++
	callCtx, cancel := context.WithTimeout(ctx, r.CallTimeout)
	defer cancel()
	started := time.Now()
	failure = run(callCtx)
	if ctx.Err() != nil {
		err = fmt.Errorf("reading %s: %w", name, ctx.Err())
	}
	return time.Since(started), failure, err
}

// hasService reports whether the host has returned its replication service.
func hasService(r replay.Recording) bool {
	for _, c := range r.Classes {
		if c.Class.Name == msvm.ClassReplicationService {
			return len(c.Instances) > 0
		}
	}
	return false
}
