package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/internal/access"
)

// auditReserveBytes is the space that is reserved for records of actions. The records of an action need a few KiB.
const auditReserveBytes = 4 << 20

// Names of the files in Options.DataDir.
const (
	auditFile = "audit.jsonl"
	storeFile = "admin.db"
)

// checkFiles returns an error if others can change what decides who may control the host, or what says who did it. It
// is for the start only: a reload must always accept a policy that is read-only.
func checkFiles(o Options, w authz.WebConfig) error {
	files := []struct {
		what, path string
		secret     bool
	}{
		{"policy", o.PolicyFile, false},
		{"web config", o.WebConfigFile, false},
		{"key of the web config", w.KeyFile, true},
		{"client certificate authorities of the web config", w.ClientCAFile, false},
	}
	for _, f := range files {
		if f.path == "" {
			continue
		}
		if err := access.CheckFile(f.path, f.secret); err != nil {
			return fmt.Errorf("admin endpoint: %s: %w", f.what, err)
		}
	}
	if err := access.CheckDir(o.DataDir); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("admin endpoint: data directory: %w", err)
	}
	for _, name := range []string{auditFile, storeFile} {
		err := access.CheckFile(filepath.Join(o.DataDir, name), false)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("admin endpoint: data directory: %w", err)
		}
	}
	return nil
}

// openFiles opens the audit log and the store.
func (s *Server) openFiles() error {
	err := access.CreateDir(s.options.DataDir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	s.audit, err = audit.Open(audit.Options{
		Path: filepath.Join(s.options.DataDir, auditFile), OnWrite: s.sendEvent, Now: s.options.Now,
		MaxBytes: s.options.AuditMaxBytes, MaxFiles: s.options.AuditMaxFiles, ReserveBytes: auditReserveBytes,
		RefusalInterval: s.options.RefusalInterval,
		OnError: func(err error) {
			level.Error(s.options.Logger).Log("msg", "cannot rotate audit log, will retry", "err", err)
		},
	})
	if err != nil {
		return err
	}
	path := filepath.Join(s.options.DataDir, storeFile)
	_, missing := os.Stat(path)
	var damage error
	s.store, damage, err = store.Open(path, s.options.Now(), job.StoreBucket(), responseBucket(), maintenanceBucket(),
		bulkBucket())
	if err != nil {
		return errors.Join(err, s.audit.Close())
	}
	if missing != nil && s.audit.Size() > 0 {
		damage = fmt.Errorf("%s is missing, although there is an audit log", storeFile)
	}
	if damage != nil {
		level.Error(s.options.Logger).Log("msg", "records of earlier actions are lost", "err", damage)
		s.auditAfter(audit.Record{
			Time: s.options.Now().UTC(), Event: audit.Damage, User: "(start)", Action: "open-store", Error: damage.Error(),
		})
	}
	return nil
}

// sendEvent passes a line of the audit log to Options.Events.
func (s *Server) sendEvent(line []byte) {
	if s.options.Events == nil {
		return
	}
	if err := s.options.Events(line); err != nil {
		level.Error(s.options.Logger).Log("msg", "cannot forward audit record, it is only in the file", "err", err)
	}
}
