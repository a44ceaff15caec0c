package exporter_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// auditCalls reads the audit log. It returns the number of intents by ID and action that have no outcome, and the number
// of outcomes that say that the program ended.
func auditCalls(t *testing.T, args []string) (open map[string]int, intents, ended int) {
	t.Helper()
	open = map[string]int{}
	for _, a := range args {
		dir, ok := strings.CutPrefix(a, "--admin.data-dir=")
		if !ok {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "audit.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var l struct{ Event, ID, Action, Error string }
			if json.Unmarshal([]byte(line), &l) != nil {
				continue // the kill cut it off
			}
			switch key := l.ID + " " + l.Action; l.Event {
			case "intent":
				intents++
				open[key]++
			case "outcome":
				if open[key]--; open[key] == 0 {
					delete(open, key)
				}
				if l.Error == "the program ended before the outcome was written" {
					ended++
				}
			}
		}
	}
	return open, intents, ended
}

// However often the program is killed during calls, every intent in the audit log has one outcome after the next start.
func TestEveryIntentHasAnOutcomeAfterKills(t *testing.T) {
	args, _ := exportertest.AdminArgs(t)
	var vms []string
	for round := range 8 {
		flags := args
		if round%2 == 0 { // these calls never return; others may have returned when the program is killed
			flags = append(flags, "--simulator.fault=hung=RequestReplicationStateChangeEx")
		}
		p := startProcess(t, flags...)
		if vms == nil {
			_, all := p.ask(t, http.MethodGet, "/api/v1/replicas", "")
			for _, r := range all["replicas"].([]any) {
				if r := r.(map[string]any); r["mode"] == "primary" && r["state"] == "replicating" {
					vms = append(vms, r["vm_id"].(string))
				}
			}
		}
		var clients sync.WaitGroup
		for i := range 4 {
			path := "/api/v1/replicas/" + vms[(round+i)%len(vms)] + "/primary/actions/"
			clients.Go(func() {
				for n := 0; ; n++ {
					action := []string{"suspend", "resume"}[n%2]
					if code, _ := p.ask(t, http.MethodPost, path+action, `{"reason": "a test"}`); code == 0 {
						return
					}
				}
			})
		}
		p.logs.Await(t, `msg="calling the host" action=(\S+)`)
		p.kill()
		clients.Wait()
		startProcess(t, args...).kill()
		if open, _, _ := auditCalls(t, args); len(open) > 0 {
			t.Errorf("kill %d: intents without exactly one outcome: %v", round+1, open)
		}
	}
	if _, intents, ended := auditCalls(t, args); intents < 8 || ended < 4 {
		t.Errorf("%d intents, %d of them were cut off", intents, ended)
	}
}
