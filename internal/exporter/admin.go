package exporter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/alecthomas/units"
	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin"
	"hyperv_replica_exporter/collector"
)

// adminConfig holds the values of the flags of the admin endpoint.
type adminConfig struct {
	enabled       bool
	addresses     []string
	webConfigFile string
	policyFile    string
	dataDir       string
	hosts         []string
	auditMaxSize  units.Base2Bytes
	auditMaxFiles uint

	maxConnections, maxConnectionsPerAddress int

	maxActions                int
	bulkParallelism           int
	requestRate, actionRate   float64
	requestBurst, actionBurst int
}

func (c *adminConfig) addFlags(app *kingpin.Application) {
	app.Flag("admin.enabled", "Enable the admin endpoint, which can change the host. It has a listener of its own.").
		Default("false").BoolVar(&c.enabled)
	app.Flag("admin.listen-address", "Address on which to serve the admin endpoint. Repeatable. "+
		"An address that is not a loopback address needs TLS and authentication in --admin.web.config.file.").
		Default("127.0.0.1:10484").StringsVar(&c.addresses)
	app.Flag("admin.web.config.file", "Path to a file with the TLS settings and users of the admin endpoint, "+
		"in the web configuration format of the Prometheus exporter toolkit.").
		Default("").StringVar(&c.webConfigFile)
	app.Flag("admin.policy.file", "Path to the authorization policy. Without a policy everyone may only read. "+
		"Reloaded when it changes, on SIGHUP and on POST /-/reload.").
		Default("").StringVar(&c.policyFile)
	app.Flag("admin.data-dir", "Directory of the audit log and of the job records. "+
		"Only this program and administrators should have access to it.").
		Default(defaultDataDir()).StringVar(&c.dataDir)
	app.Flag("admin.audit.max-size", "Size at which the audit log is renamed and a new one is started; 0 for never.").
		Default("64MB").BytesVar(&c.auditMaxSize)
	app.Flag("admin.audit.max-files", "Number of renamed audit logs to keep, at least 1. The oldest is deleted.").
		Default("10").UintVar(&c.auditMaxFiles)
	app.Flag("admin.host", "Host name to accept in requests to the admin endpoint, in addition to localhost, "+
		"its addresses and the names of this computer. Repeatable.").
		PlaceHolder("NAME").StringsVar(&c.hosts)
	c.addLimitFlags(app)
}

func (c *adminConfig) addLimitFlags(app *kingpin.Application) {
	app.Flag("admin.max-connections", "Maximum number of connections to the admin endpoint. "+
		"An address can have at most as many as are still free.").
		Default("256").IntVar(&c.maxConnections)
	app.Flag("admin.max-connections-per-address", "Maximum number of connections to the admin endpoint from one address, "+
		"or from one IPv6 network of 64 bits. All clients behind a proxy have the same address.").
		Default("32").IntVar(&c.maxConnectionsPerAddress)
	app.Flag("admin.request-rate", "Requests per second to the admin endpoint by one user. "+
		"Ten times as many for users with the role failover.").
		Default(fmt.Sprint(admin.DefaultRequestRate)).Float64Var(&c.requestRate)
	app.Flag("admin.request-burst", "Requests that one user can send at once, above the rate. "+
		"Ten times as many for users with the role failover.").
		Default(fmt.Sprint(admin.DefaultRequestBurst)).IntVar(&c.requestBurst)
	app.Flag("admin.action-rate", "Requests to act, which include dry runs and confirmations, per second by one user. "+
		"Ten times as many for users with the role failover.").
		Default(fmt.Sprint(admin.DefaultActionRate)).Float64Var(&c.actionRate)
	app.Flag("admin.action-burst", "Requests to act that one user can send at once, above the rate. "+
		"Ten times as many for users with the role failover.").
		Default(fmt.Sprint(admin.DefaultActionBurst)).IntVar(&c.actionBurst)
	app.Flag("admin.max-actions", "Maximum number of actions in progress. Failovers, and actions that pause or cancel "+
		"another one, are not limited.").
		Default(fmt.Sprint(admin.DefaultMaxActions)).IntVar(&c.maxActions)
	app.Flag("admin.bulk-parallelism", "Number of VMs that fail over at the same time in bulk failovers. "+
		"With less than --wmi.workers, a bulk failover on a slow host does not delay other failovers.").
		Default(fmt.Sprint(admin.DefaultBulkParallelism)).IntVar(&c.bulkParallelism)
}

func defaultDataDir() string {
	if runtime.GOOS == "windows" {
		if dir := os.Getenv("ProgramData"); dir != "" {
			return filepath.Join(dir, Name)
		}
	}
	return Name + "_data"
}

// options returns the options that do not depend on the host.
func (c *adminConfig) options() admin.Options {
	o := admin.Options{
		PolicyFile: c.policyFile, WebConfigFile: c.webConfigFile, Addresses: c.addresses,
		DataDir: c.dataDir, Namespace: collector.Namespace, Now: time.Now, Hosts: c.hosts,
		AuditMaxBytes: int64(c.auditMaxSize), AuditMaxFiles: int(c.auditMaxFiles),
		MaxActions: c.maxActions, BulkParallelism: c.bulkParallelism, RequestRate: c.requestRate,
		RequestBurst: c.requestBurst, ActionRate: c.actionRate, ActionBurst: c.actionBurst,
	}
	for _, a := range c.addresses {
		if host, _, err := net.SplitHostPort(a); err == nil && host != "" {
			o.Hosts = append(o.Hosts, host)
		}
	}
	o.Hosts = append(o.Hosts, ComputerNames()...)
	return o
}

// check refuses values that make no sense and an unsafe configuration.
func (c *adminConfig) check() error {
	for _, f := range []struct {
		name  string
		value float64
		min   float64
	}{
		{"admin.max-connections", float64(c.maxConnections), 1},
		{"admin.max-connections-per-address", float64(c.maxConnectionsPerAddress), 1},
		{"admin.request-rate", c.requestRate, 0.01},
		{"admin.request-burst", float64(c.requestBurst), 1},
		{"admin.action-rate", c.actionRate, 0.01},
		{"admin.action-burst", float64(c.actionBurst), 1},
		{"admin.max-actions", float64(c.maxActions), 1},
		{"admin.bulk-parallelism", float64(c.bulkParallelism), 1},
	} {
		if !(f.value >= f.min) { // also true for NaN
			return fmt.Errorf("--%s must be at least %v", f.name, f.min)
		}
	}
	if !c.enabled {
		return nil
	}
	return admin.Check(c.options())
}

// openAdmin returns the admin endpoint, nil if it is disabled. Each line of its audit log also goes to auditSink, if
// that is not nil.
func openAdmin(c *config, host *source, logger log.Logger, auditSink func([]byte) error) (*admin.Server, error) {
	if !c.admin.enabled {
		return nil, nil
	}
	o := c.admin.options()
	o.Reader, o.Invoker, o.FailoverInvoker = host.adminReads, host.adminCalls, host.adminFailovers
	o.Logger = log.With(logger, "component", "admin")
	o.Events = auditSink
	o.Objective = func(name, id string, interval time.Duration) time.Duration {
		return collector.ObjectiveOf(c.effective.Load().objectives, name, id, interval)
	}
	return admin.New(o)
}

// adminServers starts the servers of the admin endpoint, none if it is disabled. The error that ends a server goes to
// failed.
func adminServers(
	ctx context.Context, c *config, endpoint *admin.Server, failed chan<- error, logger log.Logger,
) ([]*http.Server, error) {
	if endpoint == nil {
		return nil, nil
	}
	listeners, err := listenAdmin(ctx, &c.admin, listen)
	if err != nil {
		return nil, err
	}
	limits := newConnectionLimits(c.admin.maxConnections, c.admin.maxConnectionsPerAddress, logger)
	var servers []*http.Server
	for _, l := range listeners {
		level.Warn(logger).Log("msg", "serving the admin endpoint, which can change this host",
			"admin_address", l.Addr(), "policy", c.admin.policyFile)
		server := newServer(ctx, endpoint.Handler(), logger)
		// With HTTP/2 a connection could have hundreds of requests, and the limits of connections would not limit them.
		server.Protocols = new(http.Protocols)
		server.Protocols.SetHTTP1(true)
		serveListener(limits.listener(l), server, c.admin.webConfigFile, failed, logger)
		servers = append(servers, server)
	}
	return servers, nil
}

// listenAdmin listens on the addresses of the admin endpoint. It checks the addresses of the listeners, because
// a name in a flag can resolve to an address that is not a loopback address.
func listenAdmin(
	ctx context.Context, c *adminConfig, listen func(context.Context, []string) ([]net.Listener, error),
) ([]net.Listener, error) {
	w, err := admin.ReadWebConfig(c.webConfigFile)
	if err != nil {
		return nil, err
	}
	listeners, err := listen(ctx, c.addresses)
	if err != nil {
		return nil, listenError("admin.listen-address", err)
	}
	for _, l := range listeners {
		err = errors.Join(err, w.CheckAddress(l.Addr().String()))
	}
	if err != nil {
		closeListeners(listeners)
		return nil, err
	}
	return listeners, nil
}

// reloadOnHangup reloads the configuration file and the configuration of the admin endpoint on SIGHUP until ctx is
// done. Windows has no such signal; changed files are noticed.
func reloadOnHangup(ctx context.Context, reloads *reloader, endpoint *admin.Server) {
	if reloads == nil && endpoint == nil {
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
				reloads.reload()
				if endpoint != nil {
					_ = endpoint.Reload() // logs its own errors
				}
			}
		}
	}()
}

// closeAdmin waits for running calls until the deadline.
func closeAdmin(endpoint *admin.Server, deadline time.Time, logger log.Logger) {
	if endpoint == nil {
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if err := endpoint.Close(ctx); err != nil {
		level.Error(logger).Log("msg", "cannot close the admin endpoint", "err", err)
	}
}
