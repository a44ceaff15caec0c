package wmiquery

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// returnCodeFacts has the return codes of the methods of root\virtualization\v2.
//
// Source: the section "Return value" of the pages <method>-msvm-replicationservice.md and, from 32780 on,
// msvm-shutdowncomponent-initiateshutdown.md in MicrosoftDocs/win32, HyperV_v2. The error codes of jobs (Msvm_ConcreteJob.ErrorCode) are the same. The sentinels are a choice of this
// package.
var returnCodeFacts = []struct {
	name     string
	constant uint32
	code     uint32
	text     string
	sentinel error
}{
	{"CodeFailed", CodeFailed, 32768, "failed", nil},
	{"CodeAccessDenied", CodeAccessDenied, 32769, "access denied", ErrDenied},
	{"CodeNotSupported", CodeNotSupported, 32770, "not supported", ErrUnsupported},
	{"CodeStatusUnknown", CodeStatusUnknown, 32771, "status unknown", nil},
	{"CodeTimeout", CodeTimeout, 32772, "timeout", ErrTimeout},
	{"CodeInvalidParam", CodeInvalidParam, 32773, "invalid parameter", nil},
	{"CodeInUse", CodeInUse, 32774, "in use", ErrBusy},
	{"CodeInvalidState", CodeInvalidState, 32775, "invalid state for this operation", ErrInvalidState},
	{"CodeInvalidDataType", CodeInvalidDataType, 32776, "incorrect data type", nil},
	{"CodeNotAvailable", CodeNotAvailable, 32777, "not available", nil},
	{"CodeOutOfMemory", CodeOutOfMemory, 32778, "out of memory", nil},
	{"CodeFileNotFound", CodeFileNotFound, 32779, "file not found", ErrNotFound},
	{"CodeNotReady", CodeNotReady, 32780, "system not ready", nil},
	{"CodeLocked", CodeLocked, 32781, "system locked, shutdown needs Force", nil},
	{"CodeShuttingDown", CodeShuttingDown, 32782, "shutdown in progress", ErrBusy},
}

func TestReturnCodesAreAsDocumented(t *testing.T) {
	failures := map[uint32]bool{}
	for _, f := range returnCodeFacts {
		failures[f.code] = true
		if f.constant != f.code {
			t.Errorf("%s is %d, want %d", f.name, f.constant, f.code)
		}
		err := Reply{Code: f.code}.Err()
		if err == nil {
			t.Errorf("code %d: got no error", f.code)
			continue
		}
		if want := fmt.Sprintf("%s (%d)", f.text, f.code); err.Error() != want {
			t.Errorf("code %d: got error %q, want %q", f.code, err, want)
		}
		checkSentinel(t, err, f.sentinel)
	}
	for code := range returnCodes {
		if !failures[code] {
			t.Errorf("code %d is not in the table of the test", code)
		}
	}
	for code := uint32(1); code < 1<<16; code++ {
		if failures[code] || code == 4096 {
			continue
		}
		err := Reply{Code: code}.Err()
		if want := fmt.Sprintf("return code %d", code); err == nil || err.Error() != want {
			t.Errorf("code %d: got error %v, want %q", code, err, want)
			continue
		}
		checkSentinel(t, err, nil)
	}
}

// 0 is "completed", 4096 is "job started".
func TestReturnCodesOfSuccess(t *testing.T) {
	if CodeCompleted != 0 || CodeJobStarted != 4096 {
		t.Errorf("CodeCompleted is %d, CodeJobStarted is %d; want 0, 4096", CodeCompleted, CodeJobStarted)
	}
	for _, code := range []uint32{0, 4096} {
		if err := (Reply{Code: code}).Err(); err != nil {
			t.Errorf("code %d: got error %v", code, err)
		}
	}
}

// Sources: MicrosoftDocs/win32, HyperV_v2, requeststatechange-msvm-concretejob.md (0 to 6, 4096 to 4099), and the pages
// of RequestStateChange, StartService and StopService of Msvm_ReplicationService (0 and 1).
func TestReturnCodesOfCIM(t *testing.T) {
	for _, tt := range []struct {
		name      string
		got, want uint32
	}{
		{"CodeCIMNotSupported", CodeCIMNotSupported, 1},
		{"CodeCIMInvalidParam", CodeCIMInvalidParam, 5},
		{"CodeCIMTransition", CodeCIMTransition, 4097},
	} {
		if tt.got != tt.want {
			t.Errorf("%s is %d, want %d", tt.name, tt.got, tt.want)
		}
	}
}

// Sources: MicrosoftDocs/win32, HyperV_v2, for Hyper-V; CIMWin32Prov for Windows.
func TestNamespacesAreAsDocumented(t *testing.T) {
	if Virtualization != `root\virtualization\v2` || CIMV2 != `root\cimv2` {
		t.Errorf(`got %s and %s, want root\virtualization\v2 and root\cimv2`, Virtualization, CIMV2)
	}
}

// Every constant CodeX of the package is in a table of this file.
func TestAllReturnCodesAreInATable(t *testing.T) {
	want := map[string]bool{
		"CodeCompleted": true, "CodeJobStarted": true, "CodeCIMNotSupported": true, "CodeCIMInvalidParam": true,
		"CodeCIMTransition": true,
	}
	for _, f := range returnCodeFacts {
		want[f.name] = true
	}
	names := codeConstants(t)
	for _, name := range names {
		if !want[name] {
			t.Errorf("%s is not in a table of the test", name)
		}
	}
	if len(names) != len(want) {
		t.Errorf("the package has %d return codes, want %d", len(names), len(want))
	}
}

// codeConstants returns the names of the constants of the package that start with Code.
func codeConstants(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				for _, id := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(id.Name, "Code") {
						names = append(names, id.Name)
					}
				}
			}
		}
	}
	return names
}
