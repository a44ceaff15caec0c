package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/exporter-toolkit/web"

	"hyperv_replica_exporter/admin"
	"hyperv_replica_exporter/collector"
)

// adminConfig is what the command line says about the admin endpoint.
type adminConfig struct {
	enabled       bool
	addresses     []string
	webConfigFile string
	policyFile    string
	folder        string
	hosts         []string
}

func (c *adminConfig) addFlags(app *kingpin.Application) {
	app.Flag("admin.enabled", "Serve the admin endpoint, which can change the host, on a listener of its own.").
		Default("false").BoolVar(&c.enabled)
	app.Flag("admin.listen-address", "Address to serve the admin endpoint on; repeat for more. Any but a loopback address needs TLS and authentication in --admin.web.config.file.").
		Default("127.0.0.1:10484").StringsVar(&c.addresses)
	app.Flag("admin.web.config.file", "File with TLS and users of the admin endpoint, in the format of the Prometheus exporter toolkit.").
		Default("").StringVar(&c.webConfigFile)
	app.Flag("admin.policy.file", "File that says who may do what; without one everybody may only look. Read again on SIGHUP and by POST /-/reload.").
		Default("").StringVar(&c.policyFile)
	app.Flag("admin.data-dir", "Folder of the audit log and of the records of jobs. Nobody but this program and administrators should have rights to it.").
		Default(dataFolder()).StringVar(&c.folder)
	app.Flag("admin.host", "Name by which the admin endpoint may be addressed, beside localhost, its addresses and this computer's name; repeat for more.").
		StringsVar(&c.hosts)
}

func dataFolder() string {
	if runtime.GOOS == "windows" {
		if folder := os.Getenv("ProgramData"); folder != "" {
			return filepath.Join(folder, programName)
		}
	}
	return programName + "_data"
}

// options are those that do not depend on the host.
func (c *adminConfig) options() admin.Options {
	o := admin.Options{
		PolicyFile: c.policyFile, WebConfigFile: c.webConfigFile, Addresses: c.addresses,
		DataDir: c.folder, Namespace: collector.Namespace, Now: time.Now, Hosts: c.hosts,
	}
	for _, a := range c.addresses {
		if host, _, err := net.SplitHostPort(a); err == nil && host != "" {
			o.Hosts = append(o.Hosts, host)
		}
	}
	if name, err := os.Hostname(); err == nil {
		o.Hosts = append(o.Hosts, name)
	}
	return o
}

// check refuses an endpoint that would not be safe.
func (c *adminConfig) check() error {
	if !c.enabled {
		return nil
	}
	return admin.Check(c.options())
}

// openAdmin makes the admin endpoint, nil if it is off. The lines of its audit log go
// to auditor, too, if there is one.
func openAdmin(c *config, host *source, logger log.Logger, auditor func([]byte) error) (*admin.Server, error) {
	if !c.admin.enabled {
		return nil, nil
	}
	o := c.admin.options()
	o.Reader, o.Invoker, o.Logger = host.looking, host.acting, log.With(logger, "component", "admin")
	o.Events = auditor
	return admin.New(o)
}

// adminServers listens for the admin endpoint and gives its servers, none if it is
// off. What ends a server goes to failed.
func adminServers(ctx context.Context, c *config, endpoint *admin.Server, failed chan<- error, logger log.Logger) ([]*http.Server, error) {
	if endpoint == nil {
		return nil, nil
	}
	w, err := admin.ReadWebConfig(c.admin.webConfigFile)
	if err != nil {
		return nil, err
	}
	listeners, err := listen(ctx, c.admin.addresses)
	if err != nil {
		return nil, err
	}
	for _, l := range listeners { // a name may mean another address than it should
		err = errors.Join(err, w.CheckAddress(l.Addr().String()))
	}
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
		return nil, err
	}
	var servers []*http.Server
	for _, l := range listeners {
		server := newServer(ctx, endpoint.Handler(), logger)
		servers = append(servers, server)
		level.Warn(logger).Log("msg", "serving the admin endpoint, which can change this host", "admin_address", l.Addr(), "policy", c.admin.policyFile)
		go func() {
			failed <- web.Serve(l, server, &web.FlagConfig{WebConfigFile: &c.admin.webConfigFile}, slog.New(newSlogHandler(logger, c.logLevel)))
		}()
	}
	return servers, nil
}

// reloadOnHangup has the endpoint read its configuration on SIGHUP, until ctx ends.
// Windows has no such signal; POST /-/reload does the same.
func reloadOnHangup(ctx context.Context, endpoint *admin.Server) {
	if endpoint == nil {
		return
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				_ = endpoint.Reload() // it logs
			}
		}
	}()
}

// closeAdmin lets the calls under way end, for a while.
func closeAdmin(endpoint *admin.Server, logger log.Logger) {
	if endpoint == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := endpoint.Close(ctx); err != nil {
		level.Error(logger).Log("msg", "the admin endpoint could not be closed in order", "err", err)
	}
}
