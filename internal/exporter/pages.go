package exporter

import (
	"context"
	"errors"
	"net"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/version"

	"hyperv_replica_exporter/internal/web"
)

// newPages returns the pages of the metrics listener.
func newPages(c *config, host *source, metrics *metricsHandler) (http.Handler, error) {
	o := web.Options{
		Families: metrics.last, Now: host.pool.Now, Source: host.name, Version: version.Version,
		MetricsPath: c.telemetryPath, GrafanaURL: c.grafanaURL, MaxAge: c.maxAge,
	}
	if c.admin.enabled {
		o.AdminURL = adminURL(c.admin)
	}
	return web.NewHandler(o)
}

// adminURL returns the URL of the admin endpoint as a user of this computer enters it.
func adminURL(c adminConfig) string {
	scheme := "http"
	if c.webConfigFile != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(c.addresses[0])
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// last returns the series of the last responses of the host and those of the process. It never asks the host.
func (h *metricsHandler) last(ctx context.Context) ([]*dto.MetricFamily, error) {
	families, err := h.scraper.Last(ctx)
	process, processErr := h.always.Gather()
	return append(families, process...), errors.Join(err, processErr)
}
