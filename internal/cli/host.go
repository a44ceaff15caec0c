package cli

import (
	"context"
	"time"

	"hyperv_replica_exporter/internal/hostsource"
	"hyperv_replica_exporter/internal/logging"
	"hyperv_replica_exporter/wmiquery"
)

// maxStuckCalls is how many calls that have exceeded the timeout are left behind. After that, all further calls fail at
// once: the host does not answer.
const maxStuckCalls = 8

// openPool opens the host of a command that reads it once. Calls that exceed the timeout are left behind.
func openPool(
	ctx context.Context, env Environment, source *hostsource.Config, workers int, timeout time.Duration,
) (*wmiquery.Pool, hostsource.Host, error) {
	host, err := source.Open(ctx, logging.New(logging.Console{Stderr: env.Stderr}.Logger("logfmt"), "info"))
	if err != nil {
		return nil, hostsource.Host{}, usageError{err}
	}
	return wmiquery.NewPool(wmiquery.PoolOptions{
		Open: host.Open, Now: host.Now, Workers: workers, StuckAfter: timeout, MaxStuck: maxStuckCalls,
	}), host, nil
}
