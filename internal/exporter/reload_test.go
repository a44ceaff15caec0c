package exporter

import (
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/internal/logging"
	"hyperv_replica_exporter/internal/logging/loggingtest"
)

// reloadRig is an exporter of a simulated host with a configuration file that the test writes.
type reloadRig struct {
	t       *testing.T
	path    string
	logs    loggingtest.Buffer
	logger  log.Logger
	reloads *reloader
	handler *metricsHandler
}

func newReloadRig(t *testing.T, text string, args ...string) *reloadRig {
	t.Helper()
	r := &reloadRig{t: t, path: filepath.Join(filetest.Dir(t), "config.yml")}
	r.write(text)
	line := commandLine{args: append([]string{"--source=simulator", "--config.file=" + r.path}, args...), stdout: io.Discard}
	c, err := line.parse()
	if err != nil {
		t.Fatal(err)
	}
	r.logger = logging.NewReloadable(log.NewLogfmtLogger(&r.logs),
		func() string { return c.effective.Load().logLevel })
	host, err := openSource(t.Context(), c, r.logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.close(time.Now().Add(ShutdownTimeout)) })
	r.handler = newMetricsHandler(c, host, r.logger)
	r.reloads = newReloader(line, c, r.logger)
	r.handler.always.MustRegister(r.reloads.metrics()...)
	go r.reloads.watch(t.Context())
	return r
}

func (r *reloadRig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// wait lets time pass. It returns what was logged.
func (r *reloadRig) wait(d time.Duration) string {
	r.logs.Take()
	time.Sleep(d)
	synctest.Wait()
	return r.logs.String()
}

func (r *reloadRig) check(wanted, unwanted string) {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body := "\n" + w.Body.String()
	if !strings.Contains(body, wanted) {
		r.t.Errorf("no %q in\n%.3000s", wanted, body)
	}
	if unwanted != "" && strings.Contains(body, unwanted) {
		r.t.Errorf("%q in the metrics", unwanted)
	}
}

const (
	reloadSuccess  = "\nhyperv_replica_exporter_config_last_reload_successful "
	reloadLastTime = "\nhyperv_replica_exporter_config_last_reload_success_timestamp_seconds "
)

// A changed file takes effect within two checks: collectors, objectives and the log level. Of other values, the log says
// that they need a restart.
func TestChangedFileIsReloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReloadRig(t, "rpo: {objective: 10m}\nscrape: {timeout: 3s}\ncollector: {perf: false, job: false}\n", "--collector.job")
		const perf, job = `{collector="perf"} `, `hyperv_replica_collector_success{collector="job"} 1`
		r.check("} 600\n", perf)
		r.check(reloadSuccess+"1\n", "")
		r.check(reloadLastTime+"9.466848e+08\n", "") // 2000-01-01, when time begins in a synctest bubble
		r.write("rpo: {objective: 20m}\nscrape: {timeout: 4s}\ncollector: {perf: true, job: false, service: false}\n" +
			"log: {level: debug}\n")
		const changed = `level=info caller=reload.go:000 msg="configuration file reloaded" file=PATH ` +
			`changed="[collector.perf collector.service log.level rpo.objective]"` + "\n" +
			`level=warn caller=reload.go:000 msg="restart needed, changed values are not in effect" keys=[scrape.timeout]` + "\n"
		if got := r.normal(r.wait(2 * reloadInterval)); got != changed {
			t.Errorf("got the log\n%swant\n%s", got, changed)
		}
		r.check("} 1200\n", `{collector="service"} `)
		r.check(`{collector="perf"} `, "} 600\n")
		r.check(job, "") // the command line takes precedence
		r.check(reloadLastTime+"9.4668481e+08\n", "")

		// What needed a restart still does, until the file has the value of the start.
		r.write("rpo: {objective: 20m}\nscrape: {timeout: 3s}\ncollector: {perf: true, service: false}\nlog: {level: info}\n")
		const restored = `level=info msg="configuration file reloaded" file=PATH changed=[log.level]` + "\n"
		if got := r.normal(r.wait(2 * reloadInterval)); got != restored {
			t.Errorf("got the log\n%swant\n%s", got, restored)
		}
	})
}

var lineNumber = regexp.MustCompile(`\.go:\d+`)

// normal returns a log without the path of the file and line numbers.
func (r *reloadRig) normal(logs string) string {
	return lineNumber.ReplaceAllString(strings.ReplaceAll(logs, r.path, "PATH"), ".go:000")
}

// The values of a file that is not valid, or missing, do not take effect, and the old ones stay.
func TestInvalidFileKeepsOldValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReloadRig(t, "rpo: {objective: 10m}\n")
		start := time.Now()
		r.write("rpo: {objective: 20m}\nlog: {level: loud}\n")
		if got := r.wait(2 * reloadInterval); strings.Count(got, "\n") != 1 ||
			!strings.Contains(got, `level=error msg="cannot reload configuration file, the old values stay in effect"`) ||
			!strings.Contains(got, "line 2: log.level") {
			t.Errorf("got the log\n%s", got)
		}
		r.check(reloadSuccess+"0\n", "} 1200\n")
		if got := r.wait(time.Minute); got != "" {
			t.Errorf("the same mistake is logged again:\n%s", got)
		}
		if err := os.Remove(r.path); err != nil {
			t.Fatal(err)
		}
		if got := r.wait(2 * reloadInterval); !strings.Contains(got, "cannot reload configuration file") {
			t.Errorf("a missing file: got the log\n%s", got)
		}
		r.check("} 600\n", "} 1200\n")
		r.write("rpo: {objective: 20m}\n")
		if got := r.wait(2 * reloadInterval); !strings.Contains(got, `msg="configuration file reloaded"`) {
			t.Errorf("got the log\n%s", got)
		}
		r.check(reloadSuccess+"1\n", "} 600\n")
		r.check("} 1200\n", "")
		if d := time.Since(start); d < time.Minute {
			t.Errorf("the clock moved by %v", d)
		}
	})
}

// A file that changes from check to check is still being written, and not read.
func TestUnfinishedFileIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReloadRig(t, "rpo: {objective: 10m}\n")
		r.wait(time.Second)
		for _, text := range []string{"rpo: {obj", "rpo: {objective: 2", "rpo: {objective: 20"} {
			r.write(text)
			if got := r.wait(reloadInterval); got != "" {
				t.Errorf("%q: got the log\n%s", text, got)
			}
		}
		r.write("rpo: {objective: 20m}")
		r.wait(2 * reloadInterval)
		r.check("} 1200\n", "} 600\n")
	})
}

// Without a configuration file there are no metrics about it.
func TestNoMetricsWithoutFile(t *testing.T) {
	c, err := parseFlags([]string{"--source=simulator"})
	if err != nil {
		t.Fatal(err)
	}
	if m := newReloader(commandLine{}, c, log.NewNopLogger()).metrics(); m != nil {
		t.Errorf("%d metrics", len(m))
	}
}
