// Command fakehost serves a simulated host as WMI to the other programs of a Wine prefix. It prints a line when it is
// ready and ends with its standard input. It must not be killed, because Wine would still direct clients to it.
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
	class := flag.String("class", "", "class of the locator, as {GUID}")
	now := flag.String("now", "", "constant time of the host's clock, as RFC 3339")
	var config simulator.Config
	flag.IntVar(&config.VMs, "vms", 0, "number of VMs")
	flag.Uint64Var(&config.Seed, "seed", 0, "seed of the simulation")
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
