//go:build linux

// Command bench measures what a scrape costs: the CPU time of the exporter on a simulated host whose clock moves, next
// to that of other ways to serve the same series. Each is a process of its own, and this process is their client. It
// writes a table in Markdown to standard output.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	if isServer() {
		serve()
		return
	}
	vms := flag.String("vms", "20 100 1000 10000", "Numbers of VMs, separated by spaces.")
	rounds := flag.Int("rounds", 9, "Number of rounds, in each of which all variants are measured.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, strings.Fields(*vms), *rounds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench measures at each number of VMs and writes the table.
func bench(ctx context.Context, sizes []string, rounds int) error {
	var all []*result
	for _, size := range sizes {
		vms, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-vms: %w", err)
		}
		fmt.Fprintf(os.Stderr, "measuring %d VMs\n", vms)
		r, err := measure(ctx, vms, rounds, max(4, 2000/max(1, vms)))
		if err != nil {
			return fmt.Errorf("%d VMs: %w", vms, err)
		}
		all = append(all, r)
	}
	fmt.Print(table(all))
	return nil
}
