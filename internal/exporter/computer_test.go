package exporter

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The admin endpoint accepts requests to the name of the computer, which is the first part of its name in DNS.
func TestAdminHostsHaveTheNameOfTheComputer(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	hosts := (&adminConfig{addresses: []string{"127.0.0.1:10484"}, hosts: []string{"alias"}}).options().Hosts
	short, _, _ := strings.Cut(name, ".")
	isName := func(host string) bool {
		first, _, _ := strings.Cut(host, ".")
		return strings.EqualFold(first, short)
	}
	if !slices.ContainsFunc(hosts, isName) || !slices.Contains(hosts, "alias") || !slices.Contains(hosts, "127.0.0.1") {
		t.Errorf("hosts %q, want those of the flags and %s", hosts, short)
	}
}
