package operation

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// maxDefaultGateways is the documented maximum number of default gateways.
const maxDefaultGateways = 5

// checkAddresses returns an error if an IP configuration has something that is not an address. The host would give it
// to the guest operating system only after a failover.
func checkAddresses(instance wmiquery.Instance) error {
	s, ok := instance.(*msvm.FailoverNetworkAdapterSettingData)
	if !ok {
		return nil
	}
	for _, list := range []struct {
		name      string
		addresses []string
	}{{"IPAddresses", s.IPAddresses}, {"DefaultGateways", s.DefaultGateways}, {"DNSServers", s.DNSServers}} {
		for _, text := range list.addresses {
			if _, err := netip.ParseAddr(text); err != nil {
				return fmt.Errorf("%s: %.80q is not an IP address", list.name, text)
			}
		}
	}
	if len(s.DefaultGateways) > maxDefaultGateways {
		return fmt.Errorf("DefaultGateways: %d are too many, at most %d", len(s.DefaultGateways), maxDefaultGateways)
	}
	if len(s.Subnets) != len(s.IPAddresses) {
		return fmt.Errorf("Subnets: has %d elements, IPAddresses has %d; give one subnet for each address",
			len(s.Subnets), len(s.IPAddresses))
	}
	for i, text := range s.Subnets {
		if !validSubnet(netip.MustParseAddr(s.IPAddresses[i]), text) {
			return fmt.Errorf("Subnets: %.80q does not belong to the address %s; "+
				"give a mask such as 255.255.255.0 for IPv4, or the length of the prefix for IPv6", text, s.IPAddresses[i])
		}
	}
	return nil
}

// validSubnet reports whether a text is a mask for an IPv4 address, or the length of a prefix for an IPv6 address.
func validSubnet(address netip.Addr, text string) bool {
	if !address.Is4() {
		n, err := strconv.ParseUint(text, 10, 8)
		return err == nil && n <= 128
	}
	mask, err := netip.ParseAddr(text)
	if err != nil || !mask.Is4() {
		return false
	}
	bytes := mask.As4()
	n := binary.BigEndian.Uint32(bytes[:])
	return bits.LeadingZeros32(^n)+bits.TrailingZeros32(n) >= 32 // no one after a zero
}
