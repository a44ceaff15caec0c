package exporter

import (
	"net/http"

	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
)

// newLandingPage returns the page at /: links to the metrics, as a whole and by collector, and to the health checks.
func newLandingPage(telemetryPath, source string, collectors []string) (http.Handler, error) {
	links := []web.LandingLinks{
		{Address: telemetryPath, Text: "Metrics", Description: "all collectors"},
	}
	for _, name := range collectors {
		links = append(links, web.LandingLinks{
			Address: telemetryPath + "?collect[]=" + name, Text: "Metrics of " + name, Description: "this collector only",
		})
	}
	return web.NewLandingPage(web.LandingConfig{
		Name:        "Hyper-V Replica exporter",
		Description: "Health and statistics of Hyper-V Replica for Prometheus. Source: " + source + ".",
		Version:     version.Info(),
		Links: append(links,
			web.LandingLinks{Address: "/-/healthy", Text: "Healthy", Description: "200 while the program runs"},
			web.LandingLinks{Address: "/-/ready", Text: "Ready", Description: "200 while scrapes are served"},
		),
		Profiling: "false",
	})
}
