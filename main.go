// Command hyperv_replica_exporter is a Prometheus exporter for the health and statistics of Hyper-V Replica.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/logging"
	"hyperv_replica_exporter/internal/winsvc"
)

func main() {
	if code, isService := winsvc.Run(os.Args[1:]); isService {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := exporter.Run(ctx, os.Args[1:], exporter.Environment{
		Stdout: os.Stdout,
		Output: logging.Console{Program: exporter.Name, Stderr: os.Stderr},
	})
	stop()
	os.Exit(code)
}
