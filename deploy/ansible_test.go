// Package deploy_test checks the files that install the exporter on many hosts.
package deploy_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/cli"
)

const role = "ansible/roles/hyperv_replica_exporter/"

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(read(t, file)), into); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}

// keywords are the keys of a task that are not the name of its module.
var keywords = map[string]bool{"name": true, "when": true, "register": true, "changed_when": true}

// Each task has a name and one module with the name of its collection, and no file has tabs or duplicate keys.
func TestTasks(t *testing.T) {
	modules := regexp.MustCompile(`^ansible\.(builtin|windows)\.\w+$`)
	files, err := filepath.Glob(role + "tasks/*.yml")
	if err != nil || len(files) != 3 {
		t.Fatalf("got %v, %v", files, err)
	}
	for _, file := range files {
		var tasks []map[string]any
		parse(t, file, &tasks)
		if len(tasks) == 0 {
			t.Errorf("%s: no tasks", file)
		}
		for _, task := range tasks {
			found := 0
			for key := range task {
				if modules.MatchString(key) {
					found++
				} else if !keywords[key] {
					t.Errorf("%s: unknown key %s", file, key)
				}
			}
			if name, _ := task["name"].(string); name == "" || found != 1 {
				t.Errorf("%s: task %q has %d modules", file, name, found)
			}
		}
	}
}

// Each variable is registered by a task or has a default, and each default is used.
func TestVariables(t *testing.T) {
	var defaults map[string]any
	parse(t, role+"defaults/main.yml", &defaults)
	known, used := map[string]bool{}, map[string]bool{}
	for name := range defaults {
		known[name] = true
	}
	registered := regexp.MustCompile(`register: (\w+)`)
	variables := regexp.MustCompile(`hyperv_replica_exporter_\w+`)
	for _, file := range []string{"main.yml", "install.yml", "uninstall.yml"} {
		text := read(t, role+"tasks/"+file)
		for _, m := range registered.FindAllStringSubmatch(text, -1) {
			known[m[1]] = true
		}
		for _, name := range variables.FindAllString(text, -1) {
			used[name] = true
		}
	}
	for name := range used {
		if !known[name] {
			t.Errorf("%s is not defined", name)
		}
	}
	var plays []struct {
		Roles []struct{ Vars map[string]any }
	}
	if err := yaml.Unmarshal([]byte(read(t, "ansible/site.yml")), &plays); err != nil || len(plays) != 1 {
		t.Fatalf("got %d plays, %v", len(plays), err)
	}
	for name := range plays[0].Roles[0].Vars {
		if _, ok := defaults[name]; !ok {
			t.Errorf("site.yml sets %s, which has no default", name)
		}
	}
	for name := range defaults {
		if !used[name] {
			t.Errorf("%s is not used", name)
		}
	}
}

// The program has the commands and flags that the role calls.
func TestRoleCallsCommandsThatExist(t *testing.T) {
	if text := read(t, role+"tasks/install.yml"); !strings.Contains(text, "'service', 'install']") ||
		!strings.Contains(text, "'--firewall.allow='") || !strings.Contains(text, "['--'] +") {
		t.Errorf("the role calls something else:\n%s", text)
	}
	if text := read(t, role+"tasks/uninstall.yml"); !strings.Contains(text, "- service\n      - uninstall\n") {
		t.Errorf("the role calls something else:\n%s", text)
	}
	for _, args := range [][]string{
		{"service", "install", "--dry-run", "--firewall.allow=192.0.2.10", "--", "--rpo.objective=15m"},
		{"service", "uninstall", "--dry-run"},
	} {
		var out, errs bytes.Buffer
		if code := cli.Run(t.Context(), args, cli.Environment{Stdout: &out, Stderr: &errs}); code != 0 {
			t.Errorf("%q: exit code %d, %s", args, code, &errs)
		}
	}
}

// No file has a tab or a space at the end of a line.
func TestWhitespace(t *testing.T) {
	files := 0
	err := filepath.WalkDir("ansible", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		for i, line := range strings.Split(read(t, path), "\n") {
			if strings.Contains(line, "\t") || strings.TrimRight(line, " ") != line || len(line) > 120 {
				t.Errorf("%s:%d: %q", path, i+1, line)
			}
		}
		return nil
	})
	if err != nil || files < 6 {
		t.Errorf("%d files, %v", files, err)
	}
}
