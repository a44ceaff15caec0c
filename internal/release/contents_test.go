//go:build release

package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"debug/pe"
	"encoding/json"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"
)

// A release has the program, the documents that it needs, and the licence of each module. Links between the documents
// lead to files of the release.
func testReleaseContents(t *testing.T, dist string) {
	for _, release := range []struct{ name, archive, program string }{
		{windowsRelease, ".zip", "hyperv_replica_exporter.exe"},
		{linuxRelease, ".tar.gz", "hyperv_replica_exporter"},
	} {
		files := unpack(t, filepath.Join(dist, release.name+release.archive))
		for _, name := range []string{
			release.program, "README.md", "LICENSE", "CHANGELOG.md", "docs/install.md", "docs/control.md",
			"docs/control-reference.md",
			"dashboards/fleet.json", "dashboards/rules/alerts.yml", "dashboards/prometheus.yml",
			"licenses/go/LICENSE", "licenses/github.com/yusufpapurcu/wmi@v1.2.4/LICENSE",
		} {
			if release.archive == ".tar.gz" && strings.Contains(name, "yusufpapurcu") {
				continue // for Windows only
			}
			if len(files[release.name+"/"+name]) == 0 {
				t.Errorf("%s: no %s", release.name, name)
			}
		}
		checkReleaseLinks(t, release.name, files)
		checkReleaseModules(t, dist, release.name, files, files[release.name+"/"+release.program])
	}
	program := unpack(t, filepath.Join(dist, windowsRelease+".zip"))[windowsRelease+"/hyperv_replica_exporter.exe"]
	if size := len(program); size > 20<<20 {
		t.Errorf("the program for Windows has %d bytes, want at most 20 MiB", size)
	}
	checkVersionResource(t, program)
}

var markdownLink = regexp.MustCompile(`\]\(([^)#: ]+)(?:#[^)]*)?\)`)

func checkReleaseLinks(t *testing.T, release string, files map[string][]byte) {
	t.Helper()
	links := 0
	for name, content := range files {
		if !strings.HasSuffix(name, ".md") || strings.HasPrefix(name, release+"/licenses/") {
			continue
		}
		for _, m := range markdownLink.FindAllSubmatch(content, -1) {
			links++
			target := path.Join(path.Dir(name), string(m[1]))
			found := files[target] != nil
			for other := range files {
				found = found || strings.HasPrefix(other, target+"/")
			}
			if !found {
				t.Errorf("%s links to %s, which the release does not have", name, m[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("%s: %d links, want at least 50", release, links)
	}
}

// Each module in the program has its licence in the release, and is in the bill of materials.
func checkReleaseModules(t *testing.T, dist, release string, files map[string][]byte, program []byte) {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dist, release+".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BomFormat  string `json:"bomFormat"`
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(content, &bill); err != nil || bill.BomFormat != "CycloneDX" {
		t.Fatalf("format %q, error %v", bill.BomFormat, err)
	}
	listed := map[string]bool{}
	for _, c := range bill.Components {
		listed[c.Name+"@"+c.Version] = true
	}
	if len(info.Deps) < 10 {
		t.Errorf("%s: %d modules, want at least 10", release, len(info.Deps))
	}
	for _, module := range info.Deps {
		id := module.Path + "@" + module.Version
		if !listed[id] {
			t.Errorf("%s: the bill of materials does not have %s", release, id)
		}
		licensed := false
		for name := range files {
			licensed = licensed || strings.HasPrefix(name, release+"/licenses/"+id+"/")
		}
		if !licensed {
			t.Errorf("%s: no licence of %s", release, id)
		}
	}
}

// checkVersionResource checks what Windows shows in the properties of a program.
func checkVersionResource(t *testing.T, program []byte) {
	t.Helper()
	f, err := pe.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	section := f.Section(".rsrc")
	if section == nil {
		t.Fatal("the program has no resources")
	}
	resources, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"FileVersion": "0.1.0", "ProductVersion": "0.1.0", "ProductName": "hyperv_replica_exporter",
		"FileDescription": "Prometheus exporter for Hyper-V Replica",
	} {
		_, after, found := bytes.Cut(resources, wide(key+"\x00"))
		if !found || !bytes.HasPrefix(bytes.TrimLeft(after, "\x00"), wide(value + "\x00")[:2*len(value)]) {
			t.Errorf("version resource: %s is not %q", key, value)
		}
	}
	if !bytes.Contains(resources, []byte("\x89PNG")) {
		t.Error("the program has no icon")
	}
}

// wide returns a text in UTF-16 with the low byte first.
func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// unpack returns the files of an archive by name.
func unpack(t *testing.T, file string) map[string][]byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	add := func(name string, r io.Reader) {
		if files[name], err = io.ReadAll(r); err != nil {
			t.Fatalf("%s: %s: %v", file, name, err)
		}
	}
	if strings.HasSuffix(file, ".zip") {
		r, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			c, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, c)
		}
		return files
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			add(header.Name, r)
		}
		if header.Uid != 0 || header.Uname != "" {
			t.Errorf("%s: %s belongs to %d %q, want 0 without a name", file, header.Name, header.Uid, header.Uname)
		}
	}
}
