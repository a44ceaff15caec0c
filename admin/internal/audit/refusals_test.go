package audit

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// records returns the records of the file.
func (l *testLog) records() (all []Record) {
	l.Helper()
	text, err := os.ReadFile(l.path)
	if err != nil {
		l.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		all = append(all, decode(l.T, []byte(line)))
	}
	return all
}

// clocked returns a log with a clock that the test sets.
func clocked(t *testing.T) (l *testLog, now *time.Time) {
	l = newTestLog(t, "")
	now = new(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	l.options.RefusalInterval = time.Minute
	l.options.Now = func() time.Time { return *now }
	return l, now
}

// Of many refusals of the same type to the same caller, the first is written at once, and then one record per minute
// that counts the others by action and VM. Another caller or type is not delayed.
func TestRefusalsAreCounted(t *testing.T) {
	l, now := clocked(t)
	start := *now
	refuse := func(user, problemType, action, vm string) {
		t.Helper()
		if err := l.WriteRefused(Record{Time: *now, Event: Refused, User: user, Type: problemType, Action: action, VMID: vm}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(want int) {
		t.Helper()
		if err := l.FlushPending(); err != nil {
			t.Fatal(err)
		}
		if got := len(l.records()); got != want {
			t.Fatalf("the file has %d records, want %d", got, want)
		}
	}
	refuse("vic", "forbidden", "suspend", "A")
	count(1)
	for range 500 {
		*now = now.Add(100 * time.Millisecond)
		refuse("vic", "forbidden", "suspend", "A")
	}
	refuse("vic", "forbidden", "remove", "B")
	count(1)
	refuse("vic", "busy", "suspend", "A")
	refuse("tim", "forbidden", "suspend", "A")
	count(3)
	*now = start.Add(time.Minute)
	count(4)
	want := Repeated{501, start.Add(100 * time.Millisecond), map[string]int{"suspend A": 500, "remove B": 1}}
	if got := l.records()[3]; got.Repeated == nil || !reflect.DeepEqual(*got.Repeated, want) || got.Action != "remove" ||
		got.User != "vic" || got.Type != "forbidden" {
		t.Errorf("got %+v %+v, want %+v", got, got.Repeated, want)
	}
	refuse("vic", "forbidden", "suspend", "A")
	count(5)
	for i := range 30 {
		refuse("vic", "forbidden", "suspend", fmt.Sprint(i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if last := l.records()[5]; last.Repeated == nil || last.Repeated.Count != 30 || len(last.Repeated.Actions) != 21 ||
		last.Repeated.Actions["other"] != 10 {
		t.Errorf("the record that the end of the program writes is %+v", last.Repeated)
	}
}

// The memory for refusals is bounded, however many callers there are.
func TestCallersOfRefusalsAreBounded(t *testing.T) {
	l, now := clocked(t)
	for i := range 3000 {
		if err := l.WriteRefused(Record{Time: *now, User: fmt.Sprint("user", i), Type: "forbidden"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(l.refusals); n != 1001 {
		t.Errorf("%d callers are remembered, want 1001", n)
	}
	if n := len(l.records()); n != 1001 {
		t.Errorf("the file has %d records, want 1001", n)
	}
}
