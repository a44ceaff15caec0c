package exporter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/collector"
	configfile "hyperv_replica_exporter/internal/config"
)

// reloadInterval is the interval at which the configuration file is checked for changes.
const reloadInterval = 5 * time.Second

// reloader reads the configuration file again when it changes. It is nil without a configuration file.
type reloader struct {
	line     commandLine
	c        *config // as of the start, except for effective
	logger   log.Logger
	success  prometheus.Gauge
	lastTime prometheus.Gauge

	mu    sync.Mutex
	texts map[string]flagText // in effect
}

func newReloader(line commandLine, c *config, logger log.Logger) *reloader {
	if c.file == nil {
		return nil
	}
	line.mustExist = true // a file that is missing from now on is a mistake: all its values would end
	r := &reloader{
		line: line, c: c, logger: logger, texts: maps.Clone(c.texts),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: collector.Namespace, Name: "exporter_config_last_reload_successful",
			Help: "1 if the configuration file was valid when it was last read, 0 if not: the values before are in effect. " +
				"Absent without a configuration file.",
		}),
		lastTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: collector.Namespace, Name: "exporter_config_last_reload_success_timestamp_seconds",
			Help: "Time at which a valid configuration file was last read, by the clock of the exporter. " +
				"Absent without a configuration file.",
		}),
	}
	r.success.Set(1)
	r.lastTime.SetToCurrentTime()
	return r
}

// metrics returns the metrics about reloads.
func (r *reloader) metrics() []prometheus.Collector {
	if r == nil {
		return nil
	}
	return []prometheus.Collector{r.success, r.lastTime}
}

// watch reloads a changed file until ctx is done. A file that is still being written differs from one check to the
// next, and is not read.
func (r *reloader) watch(ctx context.Context) {
	if r == nil {
		return
	}
	ticker := time.NewTicker(reloadInterval)
	defer ticker.Stop()
	inEffect := r.c.file.Version
	last := inEffect
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := r.version()
		if now == last && now != inEffect {
			inEffect = now // also if it is not valid: each version is reported once
			r.reload()
		}
		last = now
	}
}

// version identifies the content of the file. It is zero for a file that cannot be read.
func (r *reloader) version() configfile.Version {
	content, err := configfile.ReadText(r.c.file.Path)
	if err != nil {
		return configfile.Version{}
	}
	return configfile.VersionOf(content)
}

// reload reads the file. If it is not valid, the values before remain in effect.
func (r *reloader) reload() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := r.line.parse()
	if err != nil {
		r.success.Set(0)
		level.Error(r.logger).Log("msg", "cannot reload configuration file, the old values stay in effect", "err", err)
		return
	}
	r.c.effective.Store(&next.reloadable)
	r.success.Set(1)
	r.lastTime.SetToCurrentTime()
	changed, restart := r.compare(next.texts)
	level.Info(r.logger).Log("msg", "configuration file reloaded", "file", r.c.file.Path, "changed", fmt.Sprint(changed))
	if len(restart) > 0 {
		level.Warn(r.logger).Log("msg", "restart needed, changed values are not in effect", "keys", fmt.Sprint(restart))
	}
}

// compare returns the keys that differ from the values in effect, and takes over those that need no restart.
func (r *reloader) compare(next map[string]flagText) (changed, restart []string) {
	for _, name := range slices.Sorted(maps.Keys(next)) {
		switch {
		case slices.Equal(next[name].texts, r.texts[name].texts):
		case r.c.reloadableFlags[name]:
			changed = append(changed, name)
			r.texts[name] = next[name]
		default:
			restart = append(restart, name)
		}
	}
	return changed, restart
}
