package service

import (
	"slices"
	"strings"
	"testing"
)

// The SID of TrustedInstaller is in the list of well-known SIDs of Windows; that of this program is what
// `sc.exe showsid` computes in the same way.
func TestAccountSID(t *testing.T) {
	for name, want := range map[string]string{
		"TrustedInstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
		"trustedinstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
	} {
		if got := accountSID(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// arguments are arguments and how a command line has them, by "Parsing C command-line arguments" of Microsoft.
var arguments = map[string]string{
	"--rpo.objective=15m":     "--rpo.objective=15m",
	"":                        `""`,
	`--a=C:\Program Files\b\`: `"--a=C:\Program Files\b\\"`,
	`C:\a\b\`:                 `C:\a\b\`,
	`a"b`:                     `"a\"b"`,
	`a\"b`:                    `"a\\\"b"`,
	`a\\b c`:                  `"a\\b c"`,
	"a\tb":                    "\"a\tb\"",
	`sql-.*=5m`:               `sql-.*=5m`,
}

func TestQuote(t *testing.T) {
	for arg, want := range arguments {
		if got := quote(arg); got != want {
			t.Errorf("%s: got %s, want %s", arg, got, want)
		}
	}
}

// A path with a space is quoted: Windows would otherwise run C:\Program.exe.
func TestCommandLineQuotesProgram(t *testing.T) {
	c := Config{Program: `C:\Program Files\a\a.exe`, Args: []string{"--b=1", "--c=d e"}}
	if got, want := c.commandLine(), `"C:\Program Files\a\a.exe" --b=1 "--c=d e"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, tt := range []struct {
		config Config
		want   string // "" if there is no error
	}{
		{Config{Addresses: []string{"192.0.2.10", "192.0.2.0/24", "2001:db8::1"}, Args: []string{"--a=b"}}, ""},
		{Config{Addresses: []string{"prometheus.example"}}, "--firewall.allow=prometheus.example: not an address"},
		{Config{Addresses: []string{"any"}}, "--firewall.allow=any: not an address"},
		{Config{Addresses: []string{"192.0.2.10,192.0.2.11"}}, "not an address"},
		{Config{Args: []string{"--rpo.objective", "15m"}}, `argument "15m": not a flag`},
	} {
		err := tt.config.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: got %v, want %q", tt.config, err, tt.want)
		}
	}
}

// The rule is for the ports on which the exporter listens.
func TestFirewallPorts(t *testing.T) {
	for args, want := range map[string]string{
		"": "10483",
		"--rpo.objective=15m --web.listen-address=:9100":                         "9100",
		"--web.listen-address=[::1]:9100 --web.listen-address=192.0.2.1:9101":    "9100,9101",
		"--admin.listen-address=:9105 --web.listen-address=hv01.example.com:443": "443",
	} {
		steps := Steps(Config{Args: strings.Fields(args), Addresses: []string{"192.0.2.10"}})
		if got := valueOf(stepOf(t, steps, FirewallRule).Want, "TCP ports"); got != want {
			t.Errorf("%s: got ports %s, want %s", args, got, want)
		}
	}
}

// The firewall returns addresses in its own notation and order, which is not a difference.
func TestAddressesInOtherNotation(t *testing.T) {
	for _, tt := range []struct {
		has, want string
		same      bool
	}{
		{"192.0.2.10/255.255.255.255", "192.0.2.10", true},
		{"192.0.2.0/255.255.255.0,198.51.100.7/255.255.255.255", "198.51.100.7,192.0.2.0/24", true},
		{"2001:db8::1", "2001:db8:0::1/128", true},
		{"192.0.2.11/255.255.255.255", "192.0.2.10", false},
		{"*", "192.0.2.10", false},
		{"192.0.2.0/255.255.255.0", "192.0.2.0/25", false},
	} {
		if got := sameAddresses(tt.has, tt.want) == tt.want; got != tt.same {
			t.Errorf("%s, %s: same is %t", tt.has, tt.want, got)
		}
	}
}

func stepOf(t *testing.T, steps []Step, kind Kind) Step {
	t.Helper()
	i := slices.IndexFunc(steps, func(s Step) bool { return s.Kind == kind })
	if i < 0 {
		t.Fatalf("no step %s", kind)
	}
	return steps[i]
}
