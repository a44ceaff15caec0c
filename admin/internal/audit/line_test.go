package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
)

// decode decodes a line.
func decode(t *testing.T, line []byte) Record {
	t.Helper()
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatalf("%v: %.200s", err, line)
	}
	return r
}

// A line has at most 16 KiB, whatever the fields are. It says which fields were cut, how long they were, and what
// their hash is. What fits is not changed.
func TestLineIsBounded(t *testing.T) {
	many := map[string]any{}
	for name := range strings.FieldsSeq("a b c d e f g h i j k l") {
		many[name] = map[string]string{"x": strings.Repeat("<", 5000)}
	}
	for name, r := range map[string]Record{
		"long text":         {User: strings.Repeat("u", 300_000)},
		"escaped text":      {Error: strings.Repeat("\x00<", 200_000)},
		"all texts":         {ID: long(), User: long(), Remote: long(), Action: long(), Method: long(), VM: long(), Reason: long()},
		"not valid UTF-8":   {VM: strings.Repeat("\xff", 100_000)},
		"several bytes":     {VM: strings.Repeat("ä", 100_000)},
		"parameter":         {Parameters: map[string]any{"SettingData": strings.Repeat("x", 360_000)}},
		"many parameters":   {Parameters: many, Reason: long(), Error: long()},
		"array of a method": {Parameters: map[string]any{"a": make([]string, 50_000)}},
	} {
		line, err := encode(r)
		if err != nil || len(line) > 16<<10 {
			t.Errorf("%s: %d bytes, error %v", name, len(line), err)
		}
		if got := decode(t, line); len(got.Cut) == 0 {
			t.Errorf("%s: nothing is marked as cut: %.200s", name, line)
		}
	}
	whole := strings.Repeat("r", 5000)
	line, err := encode(Record{Reason: whole, User: "tim", Parameters: map[string]any{"n": 7, "x": []string{whole}}})
	if err != nil {
		t.Fatal(err)
	}
	r, sum, ofParameter := decode(t, line), sha256.Sum256([]byte(whole)), sha256.Sum256([]byte(`["`+whole+`"]`))
	if len(r.Reason) < 1000 || !strings.HasPrefix(whole, strings.TrimSuffix(r.Reason, "…")) || r.User != "tim" ||
		r.Parameters["n"] != 7.0 || len(r.Cut) != 2 ||
		r.Cut["reason"] != (Cut{5000, hex.EncodeToString(sum[:])}) ||
		r.Cut["parameters.x"] != (Cut{5004, hex.EncodeToString(ofParameter[:])}) {
		t.Errorf("got %s", line)
	}
	if line, err = encode(Record{Reason: strings.Repeat("r", 1000)}); err != nil || decode(t, line).Cut != nil {
		t.Errorf("the longest reason that a request can have is cut: %s, %v", line, err)
	}
}

func long() string { return strings.Repeat("x", 10_000) }
