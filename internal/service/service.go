// Package service installs the program as a Windows service. What is to be installed is plain data, [Steps]; only a
// [Host] changes Windows.
package service

import (
	"crypto/sha1" //nolint:gosec // Windows derives the SIDs of services with it
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Name is the name of the service, of its event source and of its firewall rule.
const Name = "hyperv_replica_exporter"

// Account is the virtual account of the service. It has no password, and Windows removes it together with the service.
const Account = `NT SERVICE\` + Name

// defaultPort is the port of the default of --web.listen-address.
const defaultPort = "10483"

// Config says what to install.
type Config struct {
	Program string   // full path of the program
	Args    []string // arguments of the program
	DataDir string   // folder of the configuration file, of the audit log and of the records of jobs
	// Addresses are the addresses and subnets that the firewall lets in. Without addresses there is no rule.
	Addresses []string
}

// Check returns an error if the configuration makes no sense.
func (c Config) Check() error {
	for _, a := range c.Addresses {
		if net.ParseIP(a) == nil {
			if _, _, err := net.ParseCIDR(a); err != nil {
				return fmt.Errorf("--firewall.allow=%s: not an address such as 192.0.2.10 or a subnet such as 192.0.2.0/24", a)
			}
		}
	}
	for _, a := range c.Args {
		if !strings.HasPrefix(a, "-") {
			return fmt.Errorf("argument %q: not a flag of the program; write --flag=value as one argument", a)
		}
	}
	return nil
}

// ports returns the ports of --web.listen-address among the arguments, or the default.
func (c Config) ports() string {
	var ports []string
	for _, a := range c.Args {
		if address, ok := strings.CutPrefix(a, "--web.listen-address="); ok {
			if _, port, err := net.SplitHostPort(address); err == nil {
				ports = append(ports, port)
			}
		}
	}
	if len(ports) == 0 {
		return defaultPort
	}
	return strings.Join(ports, ",")
}

// commandLine returns the command line of the service. The path of the program is always quoted: Windows would try
// C:\Program.exe for one that has a space and no quotes.
func (c Config) commandLine() string {
	line := `"` + c.Program + `"`
	for _, a := range c.Args {
		line += " " + quote(a)
	}
	return line
}

// quote returns an argument as the command line of a Windows program has it. A backslash is special only before a
// quotation mark ("Parsing C command-line arguments" in the documentation of Microsoft's C compiler).
func quote(arg string) string {
	if arg != "" && !strings.ContainsAny(arg, " \t\"") {
		return arg
	}
	var b strings.Builder
	b.WriteByte('"')
	backslashes := 0
	for _, c := range arg {
		switch c {
		case '\\':
			backslashes++
		case '"':
			b.WriteString(strings.Repeat(`\`, backslashes+1))
			backslashes = 0
		default:
			backslashes = 0
		}
		b.WriteRune(c)
	}
	b.WriteString(strings.Repeat(`\`, backslashes))
	b.WriteByte('"')
	return b.String()
}

// accountSID returns the SID of the virtual account of a service: S-1-5-80 and the SHA-1 hash of the name in upper case
// and UTF-16, as five numbers. `sc.exe showsid` prints it.
func accountSID(service string) string {
	var name []byte
	for _, c := range utf16.Encode([]rune(strings.ToUpper(service))) {
		name = binary.LittleEndian.AppendUint16(name, c)
	}
	hash := sha1.Sum(name) //nolint:gosec // see the import
	sid := "S-1-5-80"
	for i := 0; i < len(hash); i += 4 {
		sid += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(hash[i:]))
	}
	return sid
}

// sameAddresses returns want if the firewall's text means the same addresses. The firewall changes the notation:
// 192.0.2.10 becomes 192.0.2.10/255.255.255.255, and the order can change.
func sameAddresses(has, want string) string {
	if addressSet(has) == addressSet(want) {
		return want
	}
	return has
}

// addressSet returns a list of addresses in one notation and order.
func addressSet(list string) string {
	var all []string
	for one := range strings.SplitSeq(list, ",") {
		address, mask, _ := strings.Cut(strings.TrimSpace(one), "/")
		if m := net.ParseIP(mask).To4(); m != nil {
			length, _ := net.IPMask(m).Size()
			mask = strconv.Itoa(length)
		}
		ip := net.ParseIP(address)
		if mask == "" && ip != nil {
			mask = "128"
			if ip.To4() != nil {
				mask = "32"
			}
		}
		if _, subnet, err := net.ParseCIDR(address + "/" + mask); err == nil {
			one = subnet.String()
		}
		all = append(all, one)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}
