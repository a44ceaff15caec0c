package operation

import (
	"strings"
	"testing"
)

// An IP configuration with an invalid address is refused before the host is called. The problem names the property.
func TestInvalidAddressesAreRefused(t *testing.T) {
	for _, tt := range []struct{ settings, want string }{ // "" if it is accepted
		{`{"DHCPEnabled": true, "IPAddresses": []}`, ""},
		{`{"IPAddresses": ["10.0.0.4"], "Subnets": ["255.255.254.0"], "DefaultGateways": ["10.0.0.1"], "DNSServers": ["::1"]}`, ""},
		{`{"IPAddresses": ["2001:db8::4"], "Subnets": ["64"]}`, ""},
		{`{"IPAddresses": ["10.0.0.4"], "Subnets": ["0.0.0.0"]}`, ""},
		{`{"IPAddresses": ["10.0.0.4"], "Subnets": ["255.255.255.255"]}`, ""},
		{`{"IPAddresses": ["10.0.0.300"], "Subnets": ["255.255.255.0"]}`, `IPAddresses: "10.0.0.300" is not an IP address`},
		{`{"IPAddresses": [""], "Subnets": [""]}`, `IPAddresses: "" is not an IP address`},
		{`{"IPAddresses": [], "DefaultGateways": ["gateway"]}`, `DefaultGateways: "gateway" is not an IP address`},
		{`{"IPAddresses": [], "DNSServers": ["10.0.0.1/24"]}`, `DNSServers: "10.0.0.1/24" is not an IP address`},
		{
			`{"IPAddresses": [], "DefaultGateways": ["::1", "::1", "::1", "::1", "::1", "::1"]}`,
			"DefaultGateways: 6 are too many, at most 5",
		},
		{`{"IPAddresses": ["10.0.0.4"]}`, "Subnets: has 0 elements, IPAddresses has 1"},
		{`{"IPAddresses": ["10.0.0.4"], "Subnets": ["24"]}`, `Subnets: "24" does not belong to the address 10.0.0.4`},
		{`{"IPAddresses": ["10.0.0.4"], "Subnets": ["255.0.255.0"]}`, `Subnets: "255.0.255.0" does not belong`},
		{`{"IPAddresses": ["10.0.0.4"], "Subnets": ["::"]}`, `Subnets: "::" does not belong`},
		{`{"IPAddresses": ["2001:db8::4"], "Subnets": ["129"]}`, `Subnets: "129" does not belong to the address 2001:db8::4`},
		{`{"IPAddresses": ["2001:db8::4"], "Subnets": ["255.255.255.0"]}`, `Subnets: "255.255.255.0" does not belong`},
	} {
		h, _ := hostOfKind("primary", 3, 3)
		_, p := planMethod(t, h, "SetFailoverNetworkAdapterSettings", "",
			`{"ComputerSystem": "`+vmA+`", "NetworkSettings": [`+tt.settings+`]}`)
		switch {
		case tt.want == "" && p != nil:
			t.Errorf("%s: got %+v", tt.settings, p)
		case tt.want != "" && (slugOf(p) != "invalid-parameter" ||
			!strings.HasPrefix(p.Detail, "NetworkSettings: element 0: "+tt.want)):
			t.Errorf("%s: got %+v, want %s", tt.settings, p, tt.want)
		}
	}
}
