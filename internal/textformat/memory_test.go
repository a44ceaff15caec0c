package textformat_test

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"hyperv_replica_exporter/internal/textformat"
)

// A family keeps its exposition in memory once, not once for each format.
func TestFamilyKeepsExpositionOnce(t *testing.T) {
	f := &dto.MetricFamily{Name: new("a"), Type: dto.MetricType_GAUGE.Enum()}
	for i := range 20_000 {
		label := &dto.LabelPair{Name: new("b"), Value: new(strings.Repeat("c", 200) + strconv.Itoa(i))}
		f.Metric = append(f.Metric, &dto.Metric{Label: []*dto.LabelPair{label}, Gauge: &dto.Gauge{Value: new(1.0)}})
	}
	var exposition bytes.Buffer
	if _, err := expfmt.MetricFamilyToText(&exposition, f); err != nil {
		t.Fatal(err)
	}
	before := heapInUse()
	family, err := textformat.NewFamily(f)
	if err != nil {
		t.Fatal(err)
	}
	kept, size := heapInUse()-before, uint64(exposition.Len())
	if kept > size*3/2 {
		t.Errorf("a family with an exposition of %d bytes keeps %d bytes", size, kept)
	}
	runtime.KeepAlive(family)
	runtime.KeepAlive(f)
}

// heapInUse returns the bytes of the objects that can be reached.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
