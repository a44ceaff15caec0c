package admin

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/store"

	"go.etcd.io/bbolt"
)

// A damaged store never prevents a start. The file is renamed, or the records that cannot be decoded are ignored. The
// audit log reports the damage.
func TestDamagedStoreDoesNotPreventStart(t *testing.T) {
	for name, damage := range map[string]func(file string) error{
		"emptied file":   func(file string) error { return os.Truncate(file, 0) },
		"missing file":   os.Remove,
		"truncated file": func(file string) error { return os.Truncate(file, 12<<10) },
		"empty pages": func(file string) error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			clear(text[2*4096:])
			return os.WriteFile(file, text, 0o600)
		},
		"other content": func(file string) error { return os.WriteFile(file, bytes.Repeat([]byte("x"), 64<<10), 0o600) },
		"record": func(file string) error {
			db, err := bbolt.Open(file, 0o600, nil)
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(job.Bucket)).Put([]byte("x"), []byte("{")) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			e := env.hosts["HV01"]
			env.waitForJob("suspend", "HV01",
				env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
			for i := range 200 { // several pages
				if err := e.server.store.Put(job.Bucket, fmt.Sprint("old", i),
					job.Record{
						ID: fmt.Sprint("old", i), State: job.Succeeded, Created: env.clock.Now(),
						Reason: strings.Repeat("x", 200),
					}); err != nil {
					t.Fatal(err)
				}
			}
			e.close()
			file := filepath.Join(e.folder, storeFile)
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			env.startEndpoint("HV01", e.folder)
			lines := env.auditRecords("HV01")
			if last := lines[len(lines)-1]; last.Event != audit.Damage || last.Error == "" {
				t.Errorf("the audit log ends with %+v", last)
			}
			renamed, _ := filepath.Glob(file + ".damaged-*")
			jobs, _ := env.get("HV01", "vic", apiJobs).json["jobs"].([]any)
			if kept := name == "record"; kept != (len(jobs) == 201) ||
				(kept || name == "missing file") != (len(renamed) == 0) {
				t.Errorf("%d renamed files, %d jobs", len(renamed), len(jobs))
			}
			env.waitForJob("resume", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "resume", nil), "succeeded")
		})
	}
}

// A record that cannot be decoded is reported at one start, and deleted then. This is so for every kind of record.
func TestRecordThatCannotBeDecodedIsReportedOnce(t *testing.T) {
	for _, bucket := range []string{"jobs", "answers", "maintenance"} {
		t.Run(bucket, func(t *testing.T) {
			env := newTestEnv(t)
			if err := env.hosts["HV01"].server.store.Put(bucket, "x", "a text, not an object"); err != nil {
				t.Fatal(err)
			}
			for start := range 2 {
				env.restartEndpoint("HV01")
				if found, err := env.hosts["HV01"].server.store.Get(bucket, "x", new(any)); found || err != nil {
					t.Errorf("start %d: the record is still stored, error %v", start+1, err)
				}
			}
			reports := env.auditRecords("HV01")
			if len(reports) != 1 || reports[0].Event != "damage" || reports[0].Error != "1 records cannot be decoded" {
				t.Errorf("the audit log has %+v, want one report of damage", reports)
			}
		})
	}
}

// A store that another process has open is not reported as damaged.
func TestStoreInUseIsNotDamaged(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	if _, damage, err := store.Open(filepath.Join(e.folder, storeFile), env.clock.Now()); err == nil || damage != nil {
		t.Errorf("opened twice: error %v, damage %v", err, damage)
	}
	if renamed, _ := filepath.Glob(filepath.Join(e.folder, "*damaged*")); len(renamed) > 0 {
		t.Errorf("%v", renamed)
	}
}
