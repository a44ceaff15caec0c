package exporter_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// The program does not start, with exit code 2 and the command that mends it, if others can change a file that decides
// who may control the host, or the directory of the audit log.
func TestFilesThatOthersCanChange(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("the tests of package access cover access control lists")
		return
	}
	for name, tt := range map[string]struct {
		flag   string
		change func(path string) error
		want   string
	}{
		"policy that all can write": {
			"--admin.policy.file=", func(path string) error { return os.Chmod(path, 0o666) }, "policy: ",
		},
		"web config that the group can write": {
			"--admin.web.config.file=", func(path string) error { return os.Chmod(path, 0o620) }, "web config: ",
		},
		"policy behind a link": {
			"--admin.policy.file=", func(path string) error {
				if err := os.Rename(path, path+".target"); err != nil {
					return err
				}
				return os.Symlink(path+".target", path)
			}, "is a symbolic link",
		},
		"data directory that all can write": {
			"--admin.data-dir=", func(path string) error {
				if err := os.Mkdir(path, 0o700); err != nil {
					return err
				}
				return os.Chmod(path, 0o777)
			}, "data directory: ",
		},
		"audit log that is a link": {
			"--admin.data-dir=", func(path string) error {
				if err := os.Mkdir(path, 0o700); err != nil {
					return err
				}
				return os.Symlink("/dev/null", filepath.Join(path, "audit.jsonl"))
			}, "is a symbolic link",
		},
	} {
		t.Run(name, func(t *testing.T) {
			args, _ := exportertest.AdminArgs(t)
			i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, tt.flag) })
			path := strings.TrimPrefix(args[i], tt.flag)
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Remove(path + ".target") })
			code, stderr := exportertest.RunToEnd(t, append(args, "--source=simulator", "--web.listen-address=127.0.0.1:0")...)
			if code != 2 || !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, path) {
				t.Errorf("exit code %d, output %s", code, stderr)
			}
		})
	}
}

// A key that others can read is refused, also if its path is relative to the web config.
func TestKeyThatOthersCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("the tests of package access cover access control lists")
		return
	}
	dir := t.TempDir()
	made, private := certificate(t, "localhost", nil, nil)
	for name, text := range map[string]string{
		"crt": encode("CERTIFICATE", made.Raw), "key": encodeKey(t, private), "web.yml": "tls_server_config: {cert_file: crt, key_file: key}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	code, stderr := exportertest.RunToEnd(t,
		"--admin.enabled", "--admin.web.config.file="+filepath.Join(dir, "web.yml"), "--source=simulator",
		"--admin.data-dir="+filepath.Join(dir, "data"), "--admin.listen-address=127.0.0.1:0",
		"--web.listen-address=127.0.0.1:0",
	)
	if code != 2 || !strings.Contains(stderr, "chmod o-r "+filepath.Join(dir, "key")) {
		t.Errorf("exit code %d, output %s", code, stderr)
	}
}
