//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// variant is a way to serve the series of a host.
type variant struct {
	name   string
	title  string
	open   func(vms int) (http.Handler, error)
	serves bool // whether it serves series; otherwise it only reads the host
}

// Names of the variants that are compared.
const (
	exporterVariant = "exporter"
	hostVariant     = "host"
	constVariant    = "const"
)

func variants() []variant {
	return []variant{
		{constVariant, "Const metrics", openConst, true},
		{"families", "Families kept in place", openFamilies, true},
		{"bytes", "Ready bytes", openBytes, true},
		{exporterVariant, "Exporter and simulated host", openExporter, true},
		{hostVariant, "Simulated host", openHost, false},
	}
}

var openMetrics = promhttp.HandlerOpts{EnableOpenMetrics: true}

// openConst returns client_golang's handler for const metrics that are created for each scrape.
func openConst(vms int) (http.Handler, error) {
	recorded, err := recordSeries(vms)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newConstMetrics(recorded))
	return promhttp.HandlerFor(registry, openMetrics), nil
}

// openFamilies returns client_golang's handler for metric families that are kept, and whose values are set for each
// scrape.
func openFamilies(vms int) (http.Handler, error) {
	recorded, err := recordSeries(vms)
	if err != nil {
		return nil, err
	}
	return promhttp.HandlerForTransactional(keptFamilies{recorded}, openMetrics), nil
}

// keptFamilies is a prometheus.TransactionalGatherer for one scrape at a time.
type keptFamilies struct{ *recording }

func (k keptFamilies) Gather() ([]*dto.MetricFamily, func(), error) {
	for i, value := range k.next() {
		if p := valueOf(k.metrics[i]); p != nil {
			*p = value
		}
	}
	return k.families, func() {}, nil
}

// openBytes returns a handler that writes a compressed exposition that is ready.
func openBytes(vms int) (http.Handler, error) {
	recorded, err := recordSeries(vms)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	compressed := gzip.NewWriter(&body)
	format := expfmt.NewFormat(expfmt.TypeOpenMetrics)
	encoder := expfmt.NewEncoder(compressed, format)
	for _, f := range recorded.families {
		if err := encoder.Encode(f); err != nil {
			return nil, err
		}
	}
	if err := encoder.(expfmt.Closer).Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", string(format))
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body.Bytes()) // fails if the client has disconnected
	}), nil
}
