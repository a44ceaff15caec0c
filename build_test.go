//go:build !windows

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

// .promu.yml and the Makefile have the same platforms, flags, ldflags and version, the same name of the binary and the
// same files in the tarball.
func TestPromuAndMakefileBuildTheSame(t *testing.T) {
	var promu struct {
		Go struct {
			Version string
			Cgo     bool
		}
		Repository struct{ Path string }
		Build      struct {
			Binaries []struct{ Name string }
			Flags    string
			Ldflags  string
		}
		Tarball    struct{ Files []string }
		Crossbuild struct{ Platforms []string }
	}
	text, err := os.ReadFile(".promu.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &promu); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "make", "-n", "--no-print-directory", "release").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	commands := strings.ReplaceAll(string(out), "\\\n", "")

	if promu.Go.Cgo || !strings.Contains(commands, "CGO_ENABLED=0") {
		t.Error("cgo must be disabled in .promu.yml and in the Makefile")
	}
	module, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(module), "module "+promu.Repository.Path+"\n") {
		t.Errorf(".promu.yml: repository path %q is not that of the module (error: %v)", promu.Repository.Path, err)
	}
	var builds []string
	for line := range strings.Lines(commands) {
		if strings.Contains(line, "go build") {
			builds = append(builds, line)
		}
	}
	if len(builds) != len(promu.Crossbuild.Platforms) || len(builds) < 4 {
		t.Fatalf("make builds %d binaries, promu builds %v, want the same and at least 4",
			len(builds), promu.Crossbuild.Platforms)
	}
	for i, platform := range promu.Crossbuild.Platforms {
		goos, goarch, _ := strings.Cut(platform, "/")
		name := promu.Build.Binaries[0].Name
		if goos == "windows" {
			name += ".exe"
		}
		for _, want := range append([]string{
			"GOOS=" + goos + " GOARCH=" + goarch + " ", "go build " + promu.Build.Flags + " ", "/" + name + " .",
		}, ldflagNames(promu.Build.Ldflags)...) {
			if !strings.Contains(builds[i], want) {
				t.Errorf("make build for %s: no %q in\n%s", platform, want, builds[i])
			}
		}
		if a, b := strings.Count(builds[i], "-X "), strings.Count(promu.Build.Ldflags, "-X "); a != b {
			t.Errorf("%s: make sets %d variables, promu sets %d", platform, a, b)
		}
	}
	pack, err := os.ReadFile("scripts/package.sh")
	if want := "git ls-files -z " + strings.Join(promu.Tarball.Files, " ") + " "; !strings.Contains(string(pack), want) {
		t.Errorf("scripts/package.sh: no %q (error: %v)", want, err)
	}
	version, err := os.ReadFile("VERSION") // promu reads the same file
	if err != nil || !strings.Contains(builds[0], "version.Version="+strings.TrimSpace(string(version))+" ") {
		t.Errorf("make does not build the version %q (error: %v)", version, err)
	}
}

// ldflagNames returns the beginning of ldflags, and the variables that they set, in the form "-X name=".
func ldflagNames(ldflags string) []string {
	flags, _, _ := strings.Cut(ldflags, "\n")
	names := []string{`-ldflags "` + flags + " -X "}
	for line := range strings.Lines(ldflags) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			names = append(names, name+"=")
		}
	}
	return names
}
