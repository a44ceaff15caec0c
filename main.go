// Command hyperv_replica_exporter is a Prometheus exporter for the health and statistics of Hyper-V Replica.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"hyperv_replica_exporter/internal/cli"
	"hyperv_replica_exporter/internal/winsvc"
)

func main() {
	if code, isService := winsvc.Run(os.Args[1:]); isService {
		os.Exit(code)
	}
	// The program continues without a terminal and without a reader of its log. What can be reloaded is on SIGHUP.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], cli.Environment{
		Stdout: os.Stdout, Stderr: os.Stderr, Terminal: cli.IsTerminal(os.Stderr),
		Stdin: os.Stdin, ReadHidden: cli.HiddenReader(os.Stdin),
	})
	stop()
	os.Exit(code)
}
