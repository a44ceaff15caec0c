package capture

import (
	"fmt"
	"testing"
)

// knowing returns a replacer that knows the names of a small host: HV01 with one VM of each name.
func knowing(t *testing.T, vms ...string) *replacer {
	t.Helper()
	r := newReplacer(false, []string{"CORP", "hv01.corp.example.com"}) // host1, host2, domain1
	for _, vm := range vms {
		r.machine(vm)
	}
	r.known = r.knownNames()
	return r
}

// The substitutes of each kind, in the order of the calls.
func TestSubstitutes(t *testing.T) {
	r := newReplacer(false, nil)
	for _, tt := range []struct {
		rule     rule
		in, want string
	}{
		{machine, "web01", "vm001"},
		{machine, "web01", "vm001"},
		{machine, "WEB01", "vm002"},
		{machine, "Web 01 (old)", "vm003  ()"},
		{machine, "Datenbank-Zürich", "vm004-ü"},
		{machine, "数据库", "vm005ü"},
		{machine, "", ""},
		{host, "HV01", "HOST1"},
		{host, "hv01", "host1"},
		{host, "Hv01", "host1"},
		{host, "HV02.corp.example.com", "HOST2.domain1.example"},
		{host, "hv01.CORP.example.com", "host1.domain1.example"},
		{host, "*.corp.example.com", "*.domain1.example"},
		{host, "*", "*"},
		{host, "", ""},
		{host, "192.0.2.7", "198.18.0.1"},
		{host, "2001:DB8:1::7", "2001:db8::2"},
		{host, "hv01:443", "address3"},
		{machine, "HV01", "HOST1"},
		{counter, "web01", "vm001"},
		{counter, "web01#1", "vm001#1"},
		{counter, "app#1", "vm006#1"},
		{machine, "app", "vm006"},
		{machine, "odd#7", "vm007#"},
		{counter, "odd#7", "vm007#"},
		{counter, "_Total", "_Total"},
		{address, "192.0.2.7", "198.18.0.1"},
		{address, "0.0.0.0", "0.0.0.0"},
		{address, "127.0.0.1", "127.0.0.1"},
		{address, "::", "::"},
		{address, "::1", "::1"},
		{address, "", ""},
		{address, "fe80::1%12", "2001:db8::4"},
		{folder, `D:\Replica\HV02`, `C:\folder001`},
		{folder, `d:\replica\hv02`, `C:\folder001`},
		{folder, `\\nas\replica`, `\\server\folder002`},
		{folder, "", ""},
		{group, "Production", "group001"},
		{group, "production", "group002"},
		{group, "DEFAULT", "DEFAULT"},
		{group, "Default", "Default"},
		{group, "", ""},
		{thumbprint, "f6d4 6669 \u200eab", "0000000000000000000000000000000000000001"},
		{thumbprint, "F6D46669AB", "0000000000000000000000000000000000000001"},
		{thumbprint, "", ""},
		{system, "9927A129-ABED-4903-96D0-078C4A605356", "AAAAAAAA-0000-0000-0000-000000000001"},
		{system, "HV01", "HOST1"},
		{id, `Microsoft:9927a129-abed-4903-96d0-078c4a605356\HVR\0`, `Microsoft:aaaaaaaa-0000-0000-0000-000000000001\HVR\0`},
		{id, `Microsoft:HV01\ReplicationService`, `Microsoft:HOST1\ReplicationService`},
		{id, `\\HV09\root\virtualization\v2:Msvm_X.Name="22391CDC-272C-4DDF-BA88-9BEFB1A0975C"`, `\\HOST3\root\virtualization\v2:Msvm_X.Name="22391CDC-272C-4DDF-BA88-9BEFB1A0975C"`},
		{id, `Msvm_X.CreationClassName="Msvm_X",Name="HV02"`, `Msvm_X.CreationClassName="Msvm_X",Name="HOST2"`},
		{id, `Msvm_X.Name="hv02.corp.example.com"`, `Msvm_X.Name="host2.domain1.example"`},
		{fixed, "HV01", "HV01"},
	} {
		if got := tt.rule(r, tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestKeepGUIDs(t *testing.T) {
	r := newReplacer(true, nil)
	const id = `Microsoft:9927A129-ABED-4903-96D0-078C4A605356\HVR\0`
	if got := r.id(id); got != id || len(r.mapping.entries) != 0 {
		t.Errorf("got %q, %d replacements", got, len(r.mapping.entries))
	}
}

// Substitutes of addresses remain in the networks that are reserved for them.
func TestManyAddresses(t *testing.T) {
	r := newReplacer(false, nil)
	for n := 1; n <= 70_000; n++ {
		in := fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
		got := r.address(in)
		if want := map[int]string{1: "198.18.0.1", 256: "198.18.1.0", 65_535: "198.18.255.255", 65_536: "198.19.0.0"}[n]; want != "" && got != want {
			t.Errorf("address %d: got %s, want %s", n, got, want)
		}
	}
}

func TestMessages(t *testing.T) {
	r := knowing(t, "web01", "web01 copy", "Größe", " blank ", "a", "two\nlines", "vm002", "数据库")
	for _, tt := range []struct{ in, want string }{
		{"Nothing to replace.", "Nothing to replace."},
		{"'web01' and WEB01, web012, myweb01", "'vm001' and vm001, web012, myweb01"},
		{"web01 copy failed", "vm002  failed"}, // the longest name, and its substitute is not replaced again
		{"vm002", "vm007"},
		{"die GRÖSSE und die größe von Größe", "die GRÖSSE und die vm003ü von vm003ü"},
		{"VM of blank is", "VM ofvm004  is"}, // the name has blanks at both ends
		{"blank", "vm004  "},
		{"Error a: abc", "Error vm005: abc"},
		{"of two\nlines!", "of vm006!"},
		{"虚拟机数据库已停止", "虚拟机vm008ü已停止"},
		{"on HV01.", "on HOST2."},
		{"on hv01.corp.example.com.", "on host2.domain1.example."},
		{"on other.corp.example.com:443", "on host3.domain1.example:443"},
		{"on a.b.corp.example.com", "on host4.domain2.example"},
		{"on hv01.elsewhere.net", "on host2.domain3.example"},
		{"in corp.example.com", "in domain1.example"},
		{`CORP\user`, `HOST1\user`},
		{"user@corp.example.com", "user@domain1.example"},
		{"from 192.0.2.7:6600 to 192.0.2.8.", "from 198.18.0.1:6600 to 198.18.0.2."},
		{"Address:192.0.2.7", "Address:198.18.0.1"},
		{"to [2001:db8:1::7]:443", "to [2001:db8::3]:443"},
		{"at 12:30:45, version 10.0.20348.1, 1.2.3.4.5", "at 12:30:45, version 10.0.20348.1, 1.2.3.4.5"},
		{`open 'C:\VMs\web01\disk.vhdx' failed`, `open 'C:\folder001' failed`},
		{`open \\nas\share\web01.vhdx failed`, `open \\server\folder002`},
		{"certificate F6D466699FB62A266F17F3E3D05F49E527CFC6BA.", "certificate 0000000000000000000000000000000000000001."},
		{"VM 9927A129-ABED-4903-96D0-078C4A605356 failed", "VM AAAAAAAA-0000-0000-0000-000000000001 failed"},
		{"", ""},
	} {
		if got := r.message(tt.in); got != tt.want {
			t.Errorf("%q:\ngot  %q\nwant %q", tt.in, got, tt.want)
		}
	}
}

// Only text outside of tags is changed, and only if it has something to replace. Syntax errors remain.
func TestEmbeddedInstances(t *testing.T) {
	r := knowing(t, "web01", "150", "VALUE", "true", `a<&>"b`)
	for _, tt := range []struct{ in, want string }{
		{`<VALUE>web01</VALUE>`, `<VALUE>vm001</VALUE>`},
		{`<VALUE>150</VALUE><VALUE>TRUE</VALUE>`, `<VALUE>150</VALUE><VALUE>TRUE</VALUE>`},
		{`<VALUE>VM 150</VALUE>`, `<VALUE>VM vm002</VALUE>`},
		{`<VALUE>20261122214210.000000-000</VALUE>`, `<VALUE>20261122214210.000000-000</VALUE>`},
		{`<VALUE> &quot;x&#x20;</VALUE>`, `<VALUE> &quot;x&#x20;</VALUE>`},
		{`<VALUE>a&lt;&amp;&gt;&quot;b &gt;</VALUE>`, `<VALUE>vm005&lt;&amp;&gt;&#34; &gt;</VALUE>`},
		{`<VALUE><![CDATA[web01 <150>]]></VALUE>`, `<VALUE><![CDATA[vm001 <vm002>]]></VALUE>`},
		{`<VALUE><![CDATA[web01`, `<VALUE><![CDATA[vm001`},
		{`<!-- web01 --><X/>`, `<!-- vm001 --><X/>`},
		{`<VALUE>web01`, `<VALUE>vm001`},
		{`web01`, `vm001`},
		{`web01<`, `vm001<`},
		{`< web01`, `&lt; vm001`},
		{"\uFEFF<?xml version=\"1.0\"?>\r\n<A B=\"c\">x</A>", "\uFEFF<?xml version=\"1.0\"?>\r\n<A B=\"c\">x</A>"},
		{``, ``},
	} {
		if got := r.embedded(tt.in); got != tt.want {
			t.Errorf("%q:\ngot  %q\nwant %q", tt.in, got, tt.want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("web01 on hv01.corp.example.com at 192.0.2.7, C:\\x, <VALUE>a</VALUE>")
	f.Fuzz(func(t *testing.T, s string) {
		r := knowing(t, "web01")
		r.message(s)
		r.embedded(s)
		r.id(s)
	})
}
