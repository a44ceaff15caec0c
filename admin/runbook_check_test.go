//go:build !windows

package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A runbook destroys nothing if something that it needs later is missing, also if all its commands are entered at once.
func TestRunbooksCheckBeforeTheyDestroy(t *testing.T) {
	functions, texts := readRunbooks(t)
	noRows := func(dst any) {
		if rows, ok := dst.(*[]msvm.VirtualSystemSettingData); ok {
			*rows = nil
		}
	}
	tests := []struct {
		name, runbook string
		from, to      string
		vm            int
		initial       msvm.ReplicationState
		prepare       func(env *testEnv)
		never         []string // methods that are not called
	}{
		{
			"no recovery point", "older", "HV01", "HV02", vmWithRecoveryPoints, msvm.Recovered,
			func(env *testEnv) { env.hosts["HV02"].pool.onRead = noRows },
			[]string{msvm.MethodRevertFailover, msvm.MethodInitiateFailover},
		},
		{
			"preparation fails", "planned", "HV01", "HV02", vmReplicating, msvm.Replicating,
			func(env *testEnv) { env.hosts["HV01"].pool.reply = replyWith(wmiquery.Reply{Code: 32768}) },
			[]string{msvm.MethodInitiateFailover},
		},
		{
			"no failover", "reverse", "HV01", "HV02", vmReplicating, msvm.Replicating,
			func(*testEnv) {},
			[]string{msvm.MethodRequestReplicationStateChangeEx},
		},
		{
			"no extended relationship", "extended", "HV01", "HV02", vmReplicating, msvm.Replicating,
			func(*testEnv) {},
			[]string{msvm.MethodCommitFailover, msvm.MethodChangeReplicationModeToPrimary},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t)
			if tt.initial != msvm.Replicating {
				key := msvm.Key{VM: env.vms[tt.vm], Link: msvm.Primary}
				if err := env.world.SetState(tt.to, key, tt.initial); err != nil {
					t.Fatal(err)
				}
			}
			environment := env.scriptEnvironment(tt.vm, tt.from, tt.to)
			tt.prepare(env)
			script := functions + "set +e\n" + env.runbookScript(texts[tt.runbook], tt.initial)
			out, _ := env.runScript(script, "yes", environment) // fails, or ends after a command that is not run
			for host, e := range env.hosts {
				for _, c := range e.pool.calls { // also those that the host rejects
					if slices.Contains(tt.never, c.Method) {
						t.Errorf("%s is called on %s\n%s", c.Method, host, out)
					}
				}
			}
		})
	}
}

// A relationship without recovery points has an empty list of them, and says why they cannot be read.
func TestRecoveryPointsAreNeverAbsent(t *testing.T) {
	env := newTestEnv(t)
	for link, vm := range map[string]int{"primary": vmReplicating, "extended": vmExtended} {
		shown := env.get("HV01", "vic", env.replicaPath(vm, link)).json
		wantJSON(t, link, shown["recovery_points"], `[]`)
		if shown["recovery_points_error"] != nil {
			t.Errorf("%s: recovery_points_error is %v", link, shown["recovery_points_error"])
		}
	}
	pool := env.hosts["HV02"].pool
	pool.read = func(ctx context.Context, dst any) error {
		if _, ok := dst.(*[]msvm.VirtualSystemSettingData); ok {
			return errors.New("disk is on fire")
		}
		return pool.Pool.Read(ctx, dst)
	}
	shown := env.get("HV02", "vic", env.replicaPath(vmWithRecoveryPoints, "primary")).json
	wantJSON(t, "recovery points", shown["recovery_points"], `[]`)
	if text, _ := shown["recovery_points_error"].(string); !strings.Contains(text, "disk is on fire") {
		t.Errorf("recovery_points_error is %q", text)
	}
}

// The documentation says for each role which of its actions need destructive.
func TestControlPageSaysWhatNeedsDestructive(t *testing.T) {
	need := map[authz.Role][]string{}
	for _, a := range operation.Actions() {
		if a.Destroys(nil) != "" {
			need[a.Role] = append(need[a.Role], a.Name)
		}
	}
	unlock := operation.PlanUnlock("", "", "")
	need[unlock.Role] = append(need[unlock.Role], unlock.Action)
	page := readPage(t, controlPage)
	for _, role := range []authz.Role{authz.RoleViewer, authz.RoleOperator, authz.RoleFailover, authz.RoleOwner} {
		_, row, found := strings.Cut(page, "\n| `"+role.String()+"` | ")
		row, _, _ = strings.Cut(row, "\n")
		if want := " | " + code(need[role]) + " |"; !found || !strings.HasSuffix(row, want) {
			t.Errorf("the row of %s ends with %q, want %q", role, row, want)
		}
	}
}
