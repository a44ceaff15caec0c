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

// readScript returns the text of docs/capture.ps1. The tests check the text, because they cannot run the script.
func readScript(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/capture.ps1")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// removeComments returns a script without its comments.
func removeComments(text string) string {
	text = regexp.MustCompile(`(?s)<#.*?#>`).ReplaceAllString(text, "")
	return regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(text, "")
}

// The script reads the same classes and properties as the program. For each string property it defines how to replace
// names.
func TestScriptReadsWhatTheProgramReads(t *testing.T) {
	text := readScript(t)
	if problems := checkClasses(text); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
	for _, tt := range []struct{ from, to, want string }{
		{"Msvm_ConcreteJob'", "Msvm_Another'", "the program does not read root\\virtualization\\v2:Msvm_Another"},
		{"Msvm_ConcreteJob'", "Msvm_Another'", "Msvm_ConcreteJob is missing"},
		{`root\cimv2:`, `root\virtualization\v2:`, `root\cimv2:Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM is missing`},
		{"HttpPort HttpsPort", "HttpPort", "HttpsPort of"},
		{"HttpPort HttpsPort", "HttpPort HttpsPort Notes=Text", "Notes of"},
		{"TrustGroup=Group", "TrustGroup", "TrustGroup of"},
		{"TrustGroup=Group", "TrustGroup=Club", "Club is not a kind of string"},
		{"HttpPort HttpsPort", "HttpPort=Text HttpsPort", "HttpPort of"},
	} {
		if !strings.Contains(text, tt.from) {
			t.Fatalf("the script does not have %q", tt.from)
		}
		problems := strings.Join(checkClasses(strings.ReplaceAll(text, tt.from, tt.to)), "\n")
		if !strings.Contains(problems, tt.want) {
			t.Errorf("with %s instead of %s: got problems %q; want %q", tt.to, tt.from, problems, tt.want)
		}
	}
}

// checkClasses returns the problems of the table of classes.
func checkClasses(text string) []string {
	var problems []string
	table := map[string]string{}
	line := regexp.MustCompile(`(?m)^    '(root\\[^']+)' = '([^']*)'$`)
	for _, m := range line.FindAllStringSubmatch(removeComments(text), -1) {
		table[m[1]] = m[2]
	}
	for _, class := range msvm.Classes() {
		c := class.WMIClass()
		name := c.Namespace + ":" + c.Name
		properties, ok := table[name]
		if !ok {
			problems = append(problems, name+" is missing")
			continue
		}
		delete(table, name)
		problems = append(problems, compareProperties(text, class, strings.Fields(properties))...)
	}
	for name := range table {
		problems = append(problems, "the program does not read "+name)
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
			problems = append(problems, kind+" is not a kind of string")
		}
	}
	for f := range row.Fields() {
		kind, ok := kinds[f.Name]
		delete(kinds, f.Name)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s of %s is missing", f.Name, row))
		} else if isString(f.Type) != (kind != "") {
			problems = append(problems, fmt.Sprintf("%s of %s has the kind %q", f.Name, row, kind))
		}
	}
	for name := range kinds {
		problems = append(problems, fmt.Sprintf("the program does not read %s of %s", name, row))
	}
	return problems
}

func isString(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Kind() == reflect.String
}

// The script does not change the host: the only methods of Hyper-V that it calls are those with replies in a capture,
// and the test knows all other commands and methods that it calls.
func TestScriptOnlyReads(t *testing.T) {
	text := readScript(t)
	if problems := checkReadOnly(text); len(problems) > 0 {
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
		if len(checkReadOnly(text+"\n"+line+"\n")) == 0 {
			t.Errorf("the test does not detect %s", line)
		}
	}
	more := strings.Replace(text, "'GetSystemCertificates')]", "'GetSystemCertificates', 'StartReplication')]", 1)
	if len(checkReadOnly(more)) == 0 {
		t.Error("the test does not detect an additional method of Hyper-V")
	}
}

// Commands and methods of .NET that the script may use in addition to its own functions. They change only files and
// objects of the script.
const (
	allowedCommands = "Get-WmiObject Get-ChildItem Test-Path Join-Path Where-Object ForEach-Object Sort-Object " +
		"New-Object New-Item Set-Content Set-StrictMode Write-Host Write-Warning"
	allowedMethods = "Replace Escape ContainsKey Add ToUpperInvariant ToLowerInvariant Contains StartsWith TrimEnd Trim ToString " +
		"TryParse Floor HtmlDecode Format GetBaseException StartNew GetMethodParameters SetPropertyValue InvokeMethod GetText " +
		"FromBase64String Reset ToUniversalTime Create Dispose GetCurrent IsInRole GetIPGlobalProperties ShouldProcess " +
		"GetUnresolvedProviderPathFromPSPath WriteStartElement WriteEndElement WriteAttributeString WriteElementString WriteString"
)

// checkReadOnly returns the parts of a script that may change a host.
func checkReadOnly(text string) []string {
	var problems []string
	text = removeComments(text)
	known := strings.Fields(allowedCommands)
	for _, m := range regexp.MustCompile(`(?m)^function ([\w-]+)`).FindAllStringSubmatch(text, -1) {
		known = append(known, m[1])
	}
	for _, command := range regexp.MustCompile(`\b[A-Z][a-z]+-[A-Z]\w+`).FindAllString(emptyQuotes(text), -1) {
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
		if m := regexp.MustCompile(pattern).FindString(emptyQuotes(text)); m != "" {
			problems = append(problems, fmt.Sprintf("%q", m))
		}
	}
	if n := strings.Count(text, ".InvokeMethod("); n != 1 || !strings.Contains(text, ".InvokeMethod($Method, ") {
		problems = append(problems, fmt.Sprintf("found %d calls of InvokeMethod, want 1", n))
	}
	return append(problems, checkMethods(text)...)
}

// emptyQuotes removes the content of strings in single quotes.
func emptyQuotes(text string) string {
	return regexp.MustCompile(`'[^'\n]*'`).ReplaceAllString(text, "''")
}

// checkMethods returns the problems of the list of methods of Hyper-V that the script can call.
func checkMethods(text string) []string {
	set := regexp.MustCompile(`ValidateSet\(([^)]*)\)\]\s*\[string\] \$Method,`).FindAllStringSubmatch(text, -1)
	if len(set) != 1 {
		return []string{fmt.Sprintf("found %d lists of methods, want 1", len(set))}
	}
	var names, problems []string
	for quoted := range strings.SplitSeq(set[0][1], ",") {
		names = append(names, strings.Trim(quoted, " '"))
	}
	if !slices.Equal(names, methodNames()) {
		problems = append(problems, fmt.Sprintf("methods %q, want %q", names, methodNames()))
	}
	for _, name := range names {
		m, ok := msvm.FindMethod(msvm.ClassReplicationService, name)
		if !ok || !m.Reads || !m.IsGet() {
			problems = append(problems, name+" is not a method that only reads")
		}
	}
	return problems
}

// The script is ASCII, because Windows PowerShell assumes the code page of the system if there is no byte order mark.
func TestScriptIsASCIIWithHelp(t *testing.T) {
	text := readScript(t)
	if i := strings.IndexFunc(text, func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("%q is not ASCII", text[i:i+1])
	}
	for _, want := range []string{
		"#requires -Version 5.1\n", "#requires -PSEdition Desktop\n", "\nSet-StrictMode -Version Latest\n",
		"\n$ErrorActionPreference = 'Stop'\n", ".SYNOPSIS", ".EXAMPLE", "SupportsShouldProcess", "FORMAT = " + format + "\n",
		"'" + msvm.BuiltinProvider + "'",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^    \[(?:string|switch)\] \$(\w+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, "\n.PARAMETER "+m[1]+"\n") {
			t.Errorf("the help does not describe -%s", m[1])
		}
	}
}
