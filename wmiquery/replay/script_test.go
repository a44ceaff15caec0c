package replay

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// script is docs/capture.ps1. Nothing here can run it, so its text is looked at.
func script(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/capture.ps1")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// uncommented is a script without its comments.
func uncommented(text string) string {
	text = regexp.MustCompile(`(?s)<#.*?#>`).ReplaceAllString(text, "")
	return regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(text, "")
}

// The script reads the classes and the properties that the program reads, no
// more and no less, and says of each text how names are replaced in it.
func TestScriptReadsWhatTheProgramReads(t *testing.T) {
	text := script(t)
	if problems := reads(text); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
	for _, tt := range []struct{ from, to, want string }{
		{"Msvm_ConcreteJob'", "Msvm_Another'", "Msvm_Another is read, and not by the program"},
		{"Msvm_ConcreteJob'", "Msvm_Another'", "Msvm_ConcreteJob is not read"},
		{`root\cimv2:`, `root\virtualization\v2:`, `root\cimv2:Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM is not read`},
		{"HttpPort HttpsPort", "HttpPort", "HttpsPort of"},
		{"HttpPort HttpsPort", "HttpPort HttpsPort Notes=Text", "Notes of"},
		{"TrustGroup=Group", "TrustGroup", "TrustGroup of"},
		{"TrustGroup=Group", "TrustGroup=Club", "Club is no kind"},
		{"HttpPort HttpsPort", "HttpPort=Text HttpsPort", "HttpPort of"},
	} {
		if !strings.Contains(text, tt.from) {
			t.Fatalf("no %q in the script", tt.from)
		}
		problems := strings.Join(reads(strings.ReplaceAll(text, tt.from, tt.to)), "\n")
		if !strings.Contains(problems, tt.want) {
			t.Errorf("with %s for %s it says %q; want %q", tt.to, tt.from, problems, tt.want)
		}
	}
}

// reads tells what is wrong with the table of classes.
func reads(text string) []string {
	var problems []string
	table := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^    '(root\\[^']+)' = '([^']*)'$`).FindAllStringSubmatch(uncommented(text), -1) {
		table[m[1]] = m[2]
	}
	for _, class := range msvm.Classes() {
		c := class.WMIClass()
		name := c.Namespace + ":" + c.Name
		properties, ok := table[name]
		if !ok {
			problems = append(problems, name+" is not read")
			continue
		}
		delete(table, name)
		problems = append(problems, compareProperties(text, class, strings.Fields(properties))...)
	}
	for name := range table {
		problems = append(problems, name+" is read, and not by the program")
	}
	return problems
}

// compareProperties compares the properties of a class with the fields of its struct.
func compareProperties(text string, class wmiquery.Instance, words []string) []string {
	var problems []string
	row := reflect.TypeOf(class)
	kinds := map[string]string{}
	for _, word := range words {
		name, kind, _ := strings.Cut(word, "=")
		kinds[name] = kind
		if kind != "" && !strings.Contains(text, "\n        '"+kind+"' {") {
			problems = append(problems, kind+" is no kind")
		}
	}
	for f := range row.Fields() {
		kind, ok := kinds[f.Name]
		delete(kinds, f.Name)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s of %s is not read", f.Name, row))
		} else if isText(f.Type) != (kind != "") {
			problems = append(problems, fmt.Sprintf("%s of %s is of kind %q", f.Name, row, kind))
		}
	}
	for name := range kinds {
		problems = append(problems, fmt.Sprintf("%s of %s is read, and not by the program", name, row))
	}
	return problems
}

func isText(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Kind() == reflect.String
}

// The script changes nothing: the only methods of Hyper-V that it calls are those
// of which a capture has answers, and all else that it calls is known here.
func TestScriptOnlyReads(t *testing.T) {
	text := script(t)
	if problems := changes(text); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
	for _, line := range []string{
		`$services[0].ResetReplicationStatisticsEx($a, $b)`,
		`$row.Put()`,
		`$row.PSBase.InvokeMethod('RequestStateChange', $null, $null)`,
		`Invoke-WmiMethod -InputObject $row -Name Delete`,
		`Remove-Item C:\ -Recurse`,
		`[wmi] 'x'`,
		`& 'vssadmin'`,
		`iex $text`,
		`[System.IO.File]::Delete('x')`,
		`$x = ([wmiclass] 'x').Create('cmd')`,
	} {
		if len(changes(text+"\n"+line+"\n")) == 0 {
			t.Errorf("%s is not noticed", line)
		}
	}
	more := strings.Replace(text, "'GetSystemCertificates')]", "'GetSystemCertificates', 'StartReplication')]", 1)
	if len(changes(more)) == 0 {
		t.Error("one more method of Hyper-V is not noticed")
	}
}

// allowed are the commands and the methods of .NET that the script uses beside
// its own functions. None changes anything but files and the script's own objects.
const (
	allowedCommands = "Get-WmiObject Get-ChildItem Test-Path Join-Path Where-Object ForEach-Object Sort-Object " +
		"New-Object New-Item Set-Content Set-StrictMode Write-Host Write-Warning"
	allowedMethods = "Replace Escape ContainsKey Add ToUpperInvariant ToLowerInvariant Contains StartsWith TrimEnd Trim ToString " +
		"TryParse Floor HtmlDecode Format GetBaseException StartNew GetMethodParameters SetPropertyValue InvokeMethod GetText " +
		"FromBase64String Reset ToUniversalTime Create Dispose GetCurrent IsInRole GetIPGlobalProperties ShouldProcess " +
		"GetUnresolvedProviderPathFromPSPath WriteStartElement WriteEndElement WriteAttributeString WriteElementString WriteString"
)

// changes tells what in a script may change a host.
func changes(text string) []string {
	var problems []string
	text = uncommented(text)
	known := strings.Fields(allowedCommands)
	for _, m := range regexp.MustCompile(`(?m)^function ([\w-]+)`).FindAllStringSubmatch(text, -1) {
		known = append(known, m[1])
	}
	for _, command := range regexp.MustCompile(`\b[A-Z][a-z]+-[A-Z]\w+`).FindAllString(unquote(text), -1) {
		if !slices.Contains(known, command) {
			problems = append(problems, "command "+command)
		}
	}
	for _, m := range regexp.MustCompile(`(?:\.|::)(\w+)\(`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(strings.Fields(allowedMethods), m[1]) {
			problems = append(problems, "method "+m[1])
		}
	}
	for _, pattern := range []string{
		`(?i)\[wmi`, `(?i)\[ciminstance`, `(?m)^\s*[.&] [^$]`, `& \$[^C]`, `(?i)\b(iex|icm|ipmo|saps|start)\b `, `\)\.Create\(`,
	} {
		if m := regexp.MustCompile(pattern).FindString(unquote(text)); m != "" {
			problems = append(problems, fmt.Sprintf("%q", m))
		}
	}
	if n := strings.Count(text, ".InvokeMethod("); n != 1 || !strings.Contains(text, ".InvokeMethod($Method, ") {
		problems = append(problems, fmt.Sprintf("%d calls of InvokeMethod", n))
	}
	return append(problems, callable(text)...)
}

// unquote takes texts in single quotes out.
func unquote(text string) string {
	return regexp.MustCompile(`'[^'\n]*'`).ReplaceAllString(text, "''")
}

// callable tells what is wrong with the methods of Hyper-V that can be called.
func callable(text string) []string {
	set := regexp.MustCompile(`ValidateSet\(([^)]*)\)\]\s*\[string\] \$Method,`).FindAllStringSubmatch(text, -1)
	if len(set) != 1 {
		return []string{fmt.Sprintf("%d lists of methods", len(set))}
	}
	var names, problems []string
	for quoted := range strings.SplitSeq(set[0][1], ",") {
		names = append(names, strings.Trim(quoted, " '"))
	}
	if !slices.Equal(names, methodNames()) {
		problems = append(problems, fmt.Sprintf("methods %q, want %q", names, methodNames()))
	}
	for _, name := range names {
		m, ok := msvm.FindMethod(msvm.ReplicationService{}.WMIClass().Name, name)
		if !ok || !m.Reads || !strings.HasPrefix(name, "Get") {
			problems = append(problems, name+" does more than read")
		}
	}
	return problems
}

// Windows PowerShell takes a script without a byte order mark for one in the
// code page of the system.
func TestScriptText(t *testing.T) {
	text := script(t)
	if i := strings.IndexFunc(text, func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("%q is not ASCII", text[i:i+1])
	}
	for _, want := range []string{
		"#requires -Version 5.1\n", "#requires -PSEdition Desktop\n", "\nSet-StrictMode -Version Latest\n",
		"\n$ErrorActionPreference = 'Stop'\n", ".SYNOPSIS", ".EXAMPLE", "SupportsShouldProcess", "FORMAT = " + format + "\n",
		"'" + msvm.BuiltinProvider + "'",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^    \[(?:string|switch)\] \$(\w+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, "\n.PARAMETER "+m[1]+"\n") {
			t.Errorf("the help does not describe -%s", m[1])
		}
	}
}
