// Command fakehost serves a simulated host as WMI to the other programs of a Wine
// prefix. It says so in a line and ends with its standard input: were it killed,
// Wine would go on sending clients to it.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery/simulator"
)

func main() {
	class := flag.String("class", "", "class to serve, as {GUID}")
	now := flag.String("now", "", "time by the host's clock, which stands still, as RFC 3339")
	var config simulator.Config
	flag.IntVar(&config.VMs, "vms", 0, "VMs")
	flag.Uint64Var(&config.Seed, "seed", 0, "seed")
	flag.Parse()
	at, err := time.Parse(time.RFC3339, *now)
	if err != nil {
		log.Fatal(err)
	}
	config.Now = func() time.Time { return at }
	world, err := simulator.New(config)
	if err != nil {
		log.Fatal(err)
	}
	stop, err := fakewmi.ServeProcesses(*class, &fakewmi.Host{Open: world.Open})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("serving")
	io.Copy(io.Discard, os.Stdin)
	stop()
}
