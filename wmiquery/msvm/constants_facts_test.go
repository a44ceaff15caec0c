package msvm

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The files *_facts_test.go compare the package with facts that Microsoft defines: numbers, names, types and
// conditions. The expected values are literals from Microsoft's documents, never constants of this package. The
// simulator, the clients and most tests share the constants, so they cannot detect a constant with a wrong value.

// declaredConstants returns the names of the constants that the package declares with an explicit or inherited type,
// by the name of the type. Constants without a type are under "".
func declaredConstants(t *testing.T) map[string][]string {
	t.Helper()
	constants := map[string][]string{}
	for _, group := range constantDeclarations(t) {
		typeName := ""
		for _, spec := range group.Specs {
			s := spec.(*ast.ValueSpec)
			if s.Type != nil || len(s.Values) > 0 { // otherwise the constant has the type of the preceding one
				typeName = ""
			}
			if id, ok := s.Type.(*ast.Ident); ok {
				typeName = id.Name
			}
			for _, name := range s.Names {
				constants[typeName] = append(constants[typeName], name.Name)
			}
		}
	}
	return constants
}

// untypedStrings returns the values of the constants that the package declares as string literals without a type, by
// name.
func untypedStrings(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, group := range constantDeclarations(t) {
		for _, spec := range group.Specs {
			s := spec.(*ast.ValueSpec)
			for i, name := range s.Names {
				if len(s.Values) <= i || s.Type != nil {
					continue
				}
				if literal, ok := s.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
					value, err := strconv.Unquote(literal.Value)
					if err != nil {
						t.Fatal(err)
					}
					values[name.Name] = value
				}
			}
		}
	}
	return values
}

// constantDeclarations returns the declarations of constants in the files of the package, without tests.
func constantDeclarations(t *testing.T) []*ast.GenDecl {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var groups []*ast.GenDecl
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if group, ok := decl.(*ast.GenDecl); ok && group.Tok == token.CONST {
				groups = append(groups, group)
			}
		}
	}
	return groups
}

// row is a constant of this package with the number and the text that it must have. Constant is "" if the package
// declares no constant for the number.
type row[T ~uint16] struct {
	constant string
	value    T
	number   uint16
	text     string
}

// checkNumbers compares the constants of a type with their documented numbers. It fails if the type has a constant
// without a row.
func checkNumbers[T ~uint16](t *testing.T, typeName string, rows []row[T]) {
	t.Helper()
	var names []string
	for _, r := range rows {
		if uint16(r.value) != r.number {
			t.Errorf("%s is %d, want %d", r.constant, r.value, r.number)
		}
		if r.constant != "" {
			names = append(names, r.constant)
		}
	}
	checkSameNames(t, "constants of type "+typeName, declaredConstants(t)[typeName], names)
}

// checkTexts compares the texts of all 65536 numbers of a type. A number without a row must be "unknown".
func checkTexts[T ~uint16](t *testing.T, rows []row[T], text func(T) string) {
	t.Helper()
	want := map[uint16]string{}
	for _, r := range rows {
		want[r.number] = r.text
	}
	for n := range 1 << 16 {
		w, ok := want[uint16(n)]
		if !ok {
			w = "unknown"
		}
		if got := text(T(n)); got != w {
			t.Errorf("%d: got %q, want %q", n, got, w)
		}
	}
}

// checkList compares a list of texts that starts with the text of a number.
func checkList[T ~uint16](t *testing.T, list []string, rows []row[T], first uint16) {
	t.Helper()
	if len(list) != len(rows) {
		t.Errorf("the list has %d texts, want %d", len(list), len(rows))
	}
	for _, r := range rows {
		if i := int(r.number) - int(first); i < 0 || i >= len(list) || list[i] != r.text {
			t.Errorf("the list does not have %q at index %d", r.text, i)
		}
	}
}

// checkSameNames compares two sets of names.
func checkSameNames(t *testing.T, subject string, got, want []string) {
	t.Helper()
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s: %s is not in the table of the test", subject, name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s: %s is missing", subject, name)
		}
	}
}
