//go:build !windows

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

// .promu.yml and the Makefile say the same: targets, flags, ldflags, the
// binary's name, what goes into the tarball.
func TestPromuAndMakefileAgree(t *testing.T) {
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
		t.Error("cgo is not off in both")
	}
	module, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(module), "module "+promu.Repository.Path+"\n") {
		t.Errorf("repository path %q is not the module's, %v", promu.Repository.Path, err)
	}
	var builds []string
	for line := range strings.Lines(commands) {
		if strings.Contains(line, "go build") {
			builds = append(builds, line)
		}
	}
	if len(builds) != len(promu.Crossbuild.Platforms) || len(builds) < 4 {
		t.Fatalf("make builds %d binaries, promu %v", len(builds), promu.Crossbuild.Platforms)
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
				t.Errorf("make's build for %s has no %q:\n%s", platform, want, builds[i])
			}
		}
		if a, b := strings.Count(builds[i], "-X "), strings.Count(promu.Build.Ldflags, "-X "); a != b {
			t.Errorf("make sets %d variables for %s, promu %d", a, platform, b)
		}
	}
	if want := "cp " + strings.Join(promu.Tarball.Files, " ") + " "; !strings.Contains(commands, want) {
		t.Errorf("make's release has no %q", want)
	}
	version, err := os.ReadFile("VERSION") // promu reads it, too
	if err != nil || !strings.Contains(builds[0], "version.Version="+strings.TrimSpace(string(version))+" ") {
		t.Errorf("make does not build version %q, %v", version, err)
	}
}

// ldflagNames are the variables that ldflags set, each with its "-X " and "=".
func ldflagNames(ldflags string) []string {
	var names []string
	for line := range strings.Lines(ldflags) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			names = append(names, name+"=")
		}
	}
	return names
}
