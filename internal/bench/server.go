//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/logging"
)

const (
	// serverArgument is the first argument of a process that is a server. The others are the name of a variant, or
	// programMode, and the number of VMs.
	serverArgument = "serve"
	programMode    = "program" // the exporter with its command line, as a user starts it
)

// isServer reports whether this process is a server.
func isServer() bool { return len(os.Args) == 4 && os.Args[1] == serverArgument }

// serve serves on a port that the system chooses, and writes the address to standard output. It ends the process when
// standard input is closed.
func serve() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := serveMode(os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintf(os.Stderr, "server %s: %v\n", os.Args[2], err)
		os.Exit(1)
	}
}

func serveMode(mode, vms string) error {
	if mode == programMode {
		return runProgram(vms)
	}
	n, err := strconv.Atoi(vms)
	if err != nil {
		return err
	}
	for _, v := range variants() {
		if v.name != mode {
			continue
		}
		handler, err := v.open(n)
		if err != nil {
			return err
		}
		listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(listener.Addr())
		return (&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}).Serve(listener)
	}
	return fmt.Errorf("variant %q does not exist", mode)
}

// runProgram runs the exporter as a program.
func runProgram(vms string) error {
	code := exporter.Run(context.Background(), []string{
		"--web.listen-address=127.0.0.1:0", "--source=simulator", "--simulator.scenario=healthy", "--simulator.vms=" + vms,
	}, exporter.Environment{
		Stdout: io.Discard, Output: logging.Console{Program: exporter.Name, Stderr: addressWriter{}},
	})
	return fmt.Errorf("exit code %d", code)
}

// addressWriter is a log of which only the address of the listener is written, to standard output.
type addressWriter struct{}

var metricsURL = regexp.MustCompile(`url=http://([\d.:]+)/`)

func (addressWriter) Write(line []byte) (int, error) {
	if m := metricsURL.FindSubmatch(line); m != nil {
		fmt.Println(string(m[1]))
	}
	return len(line), nil
}
