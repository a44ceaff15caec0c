package doctor

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/capture"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// host is what was read from a host.
type host struct {
	Options
	now              time.Time // by the clock of the host, after the classes were read
	tables           []table   // in the order of msvm.Classes
	method           msvm.StatisticsMethod
	statistics       []statisticsCall
	disabled         *statisticsCall // of a VM without replication, nil if there is none
	certificates     *call           // nil if it was not called
	columnProbe      result          // of a read of columnProbe
	methodProbe      *call           // of a method that does not exist, nil if it was not called
	parallel         *parallelReads  // nil if there were none
	failoverNetworks failoverNetworks
	names            *capture.TextReplacer
	done, total      int // reads and calls
}

// result is how long a read or a call took, and its error.
type result struct {
	took time.Duration
	err  error
}

// table has the rows of a class.
type table struct {
	result
	capture.Table
	count int
}

// call is a method call.
type call struct {
	result
	reply wmiquery.Reply
}

// statisticsCall is a call of GetReplicationStatisticsEx.
type statisticsCall struct {
	call
	failure    error  // of the call, or of [msvm.Statistics] apart from invalid values
	about      string // which relationship it is about
	receives   bool   // whether this host is known to be the receiving side
	statistics msvm.ReplicationStatistics
	issues     []msvm.Error
	invalid    []wmiquery.InvalidValue
}

// columnProbe is a Msvm_ComputerSystem with a property that does not exist.
type columnProbe struct {
	Name              string
	NonexistentColumn *string
}

// WMIClass returns Msvm_ComputerSystem.
func (columnProbe) WMIClass() wmiquery.Class { return msvm.ComputerSystem{}.WMIClass() }

// probeMethod is a method that does not exist. Its name starts with Get, as those of all methods that only read.
const probeMethod = "GetNonexistentMethod"

// readHost reads each class once, and calls methods that only read. The number of calls does not depend on the number
// of VMs.
func readHost(ctx context.Context, o Options) (*host, error) {
	h := &host{Options: o, total: len(msvm.Classes()) + 2}
	var all []capture.Table
	for _, class := range msvm.Classes() {
		t, err := h.readClass(ctx, class)
		if err != nil {
			return nil, err
		}
		h.tables = append(h.tables, t)
		all = append(all, t.Table)
	}
	h.now = o.Reader.Now()
	var err error
	if !o.KeepNames {
		if h.names, err = capture.NewTextReplacer(o.HostNames, all); err != nil {
			return nil, err
		}
	}
	var probe []columnProbe
	h.columnProbe, err = h.timed(ctx, "column", func(ctx context.Context) error { return h.Reader.Read(ctx, &probe) })
	if err != nil {
		return nil, err
	}
	if err := h.readParallel(ctx); err != nil {
		return nil, err
	}
	if err := h.readFailoverNetworks(ctx); err != nil {
		return nil, err
	}
	return h, h.callMethods(ctx)
}

// readClass reads a class.
func (h *host) readClass(ctx context.Context, class wmiquery.Instance) (table, error) {
	rows := reflect.New(reflect.SliceOf(reflect.TypeOf(class)))
	t := table{Table: capture.Table{Class: class.WMIClass(), Rows: rows.Interface()}}
	var err error
	t.result, err = h.timed(ctx, t.Class.Name, func(ctx context.Context) error { return h.Reader.Read(ctx, t.Rows) })
	if invalid, ok := wmiquery.InvalidValues(t.err); ok {
		t.Invalid, t.err = invalid, nil
	}
	t.count = rows.Elem().Len()
	return t, err
}

// get calls a method that only reads.
func (h *host) get(ctx context.Context, c wmiquery.Call) (*call, error) {
	got := &call{}
	var err error
	got.result, err = h.timed(ctx, c.Method, func(ctx context.Context) (err error) {
		got.reply, err = h.Reader.Get(ctx, c)
		return err
	})
	return got, err
}

// timed runs a read or a call with the timeout. It returns an error if ctx ended.
func (h *host) timed(ctx context.Context, name string, run func(context.Context) error) (result, error) {
	if h.Progress != nil {
		h.Progress(h.done, max(h.total, h.done+1), name)
	}
	h.done++
	callCtx, cancel := context.WithTimeout(ctx, h.CallTimeout)
	defer cancel()
	started := time.Now()
	r := result{err: run(callCtx)}
	r.took = time.Since(started)
	if ctx.Err() != nil {
		return r, fmt.Errorf("reading %s: %w", name, ctx.Err())
	}
	return r, nil
}

// tableOf returns the table of T's class.
func tableOf[T wmiquery.Instance](h *host) table {
	class := (*new(T)).WMIClass()
	for _, t := range h.tables {
		if t.Class == class {
			return t
		}
	}
	panic("doctor: " + class.Name + " is not read")
}

// rowsOf returns the rows of T's class. There are none if the class could not be read.
func rowsOf[T wmiquery.Instance](h *host) []T { return *tableOf[T](h).Rows.(*[]T) }

// unread returns the first error among those of the tables of classes, nil if all were read.
func unread(tables ...table) error {
	for _, t := range tables {
		if t.err != nil {
			return t.err
		}
	}
	return nil
}
