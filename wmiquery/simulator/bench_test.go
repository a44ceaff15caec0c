package simulator_test

import (
	"reflect"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// full is the largest possible World.
var full = simulator.Config{VMs: 10_000, Seed: 1}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	full := full
	full.Now = newClock().Now
	for b.Loop() {
		if _, err := simulator.New(full); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads each class. The clock advances by 15 s before each read, as between two scrapes.
func BenchmarkRead(b *testing.B) {
	for _, class := range msvm.Classes() {
		b.Run(class.WMIClass().Name, func(b *testing.B) {
			w, c := newWorld(b, full)
			s := open(b, w, "HV01")
			rows := reflect.New(reflect.SliceOf(reflect.TypeOf(class)))
			b.ReportAllocs()
			for b.Loop() {
				c.Advance(15 * time.Second)
				if err := s.Read(rows.Interface()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows.Elem().Len()), "rows/op")
		})
	}
}

// BenchmarkStatistics reads the statistics of one relationship after the other.
func BenchmarkStatistics(b *testing.B) {
	w, c := newWorld(b, full)
	s := open(b, w, "HV01")
	calls := statisticsCalls(b, s, msvm.ReplicationRelationship.Replicates)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Advance(time.Millisecond)
		if _, err := s.Call(calls[i%len(calls)]); err != nil {
			b.Fatal(err)
		}
	}
}
