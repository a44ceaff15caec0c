package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"hyperv_replica_exporter/admin/internal/access"
	"hyperv_replica_exporter/admin/internal/authz"
)

// checkFiles returns an error if others can change what decides who may control the host, or what says who did it. It is
// for the start only: a reload must always accept a policy that is read-only.
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
