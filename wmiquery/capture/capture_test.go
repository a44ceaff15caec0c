package capture

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/replay"
	"hyperv_replica_exporter/wmiquery/simulator"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// simulated returns a reader of a simulated host.
func simulated(t *testing.T, host string, faults ...string) wmiquery.Reader {
	t.Helper()
	parsed, err := simulator.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	w, err := simulator.New(simulator.Config{Host: host, Seed: 7, Faults: parsed, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	pool := wmiquery.NewPool(wmiquery.PoolOptions{Open: w.Open, Now: w.Now, Workers: 1, StuckAfter: time.Minute})
	t.Cleanup(pool.Close)
	return pool
}

// newFolder returns the path of a folder that does not exist, in an empty folder.
func newFolder(t *testing.T) string {
	t.Helper()
	return filepath.Join(filetest.Dir(t), "capture")
}

func capture(t *testing.T, o Options) Result {
	t.Helper()
	result, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// readFiles returns the content of the files in a folder by name.
func readFiles(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

// openReplay returns a session with the capture in a folder.
func openReplay(t *testing.T, folder string) wmiquery.Session {
	t.Helper()
	h, err := replay.OpenFolder(t.Context(), folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// originals returns the originals in a mapping file, which the test reads in its own way.
func originals(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for s := string(text); s != ""; {
		_, s, _ = strings.Cut(s, "\t") // the kind
		original := ""
		if strings.HasPrefix(s, `"`) {
			for strings.HasPrefix(s, `"`) { // "" stands for one quotation mark
				part, rest, _ := strings.Cut(s[1:], `"`)
				original, s = original+part, rest
				if strings.HasPrefix(s, `"`) {
					original += `"`
				}
			}
		} else {
			original, _, _ = strings.Cut(s, "\t")
		}
		all = append(all, original)
		_, s, _ = strings.Cut(s, "\n")
	}
	return all
}

// No file has any of the originals, in any case, escaped or not.
func TestNoFileHasNamesOfHost(t *testing.T) {
	for _, host := range []string{"HV01", "HV02", "HV03"} {
		for _, fault := range []string{"", "hostile-names", "service-error"} {
			t.Run(host+" "+fault, func(t *testing.T) {
				folder := newFolder(t)
				var faults []string
				if fault != "" {
					faults = []string{fault}
				}
				result := capture(t, Options{Reader: simulated(t, host, faults...), Folder: folder, CallTimeout: time.Minute})
				all := originals(t, result.MappingFile)
				if len(all) < 20 || !slices.Contains(all, strings.ToLower(host)) {
					t.Fatalf("%d originals, want at least 20 and %s", len(all), host)
				}
				for name, text := range readFiles(t, folder) {
					for range 3 { // embedded instances are escaped twice
						folded := strings.ToLower(text)
						for _, original := range all {
							if strings.Contains(folded, strings.ToLower(original)) {
								t.Errorf("%s has %q", name, original)
							}
						}
						text = html.UnescapeString(text)
					}
				}
			})
		}
	}
}

// The mapping has the names that the simulated host is known to have.
func TestMappingHasNames(t *testing.T) {
	result := capture(t, Options{Reader: simulated(t, "HV01"), Folder: newFolder(t), CallTimeout: time.Minute})
	all := originals(t, result.MappingFile)
	for _, want := range []string{"web01", "hv01", "hv02", "hv03", "contoso.com", `d:\replica\hv02`, "10.20.0.1"} {
		if !slices.Contains(all, want) {
			t.Errorf("%q is not in the mapping", want)
		}
	}
	numbers := map[string]int{}
	for _, c := range result.Replaced {
		numbers[c.Kind] = c.Number
	}
	if sum := len(all); sum == 0 || numbers["machine"] == 0 || numbers["host"] < 3 || numbers["guid"] == 0 || len(numbers) != 8 {
		t.Errorf("got %v", result.Replaced)
	}
}

func TestKeptGUIDs(t *testing.T) {
	folder := newFolder(t)
	capture(t, Options{Reader: simulated(t, "HV01"), Folder: folder, KeepGUIDs: true, CallTimeout: time.Minute})
	s := openReplay(t, folder)
	var got []msvm.ComputerSystem
	if err := s.Read(&got); err != nil {
		t.Fatal(err)
	}
	want, err := wmiquery.All[msvm.ComputerSystem](t.Context(), simulated(t, "HV01"))
	if err != nil || len(got) != len(want) || len(got) < 5 {
		t.Fatalf("got %d systems, want %d; error %v", len(got), len(want), err)
	}
	for i := range got[1:] {
		if got[i+1].Name != want[i+1].Name {
			t.Errorf("got VM %s, want %s", got[i+1].Name, want[i+1].Name)
		}
	}
}

// A dry run reads the host and writes nothing, not even the folder.
func TestDryRun(t *testing.T) {
	folder := newFolder(t)
	result := capture(t, Options{Reader: simulated(t, "HV01"), Folder: folder, DryRun: true, CallTimeout: time.Minute})
	if len(result.Replaced) == 0 || result.Empty {
		t.Errorf("got %+v", result)
	}
	if files := readFiles(t, filepath.Dir(folder)); len(files) != 0 {
		t.Errorf("found %d files", len(files))
	}
}

// unused is a Reader that must not be used.
type unused struct{ wmiquery.Reader }

// A folder or a mapping file that would be overwritten is refused before the host is read.
func TestExistingFilesAreRefused(t *testing.T) {
	folder := newFolder(t)
	other := filepath.Join(folder, "other.txt")
	for _, err := range []error{os.Mkdir(folder, 0o700), os.WriteFile(other, []byte("x"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	mapped := newFolder(t)
	if err := os.WriteFile(mapped+"-mapping.txt", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, want string }{
		{folder, "is not empty, choose another folder"},
		{other, "other.txt is not a folder, choose another name"},
		{filepath.VolumeName(folder) + string(filepath.Separator), "is the root of a file system"},
		{mapped, "mapping.txt already exists, choose another folder or move the file"},
	} {
		for _, dryRun := range []bool{false, true} {
			_, err := Run(t.Context(), Options{Reader: unused{}, Folder: tt.name, DryRun: dryRun})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
			}
		}
	}
	if files := readFiles(t, folder); len(files) != 1 || files["other.txt"] != "x" {
		t.Errorf("the folder was changed: %v", files)
	}
}

// Without rights the host returns nothing. The capture says so.
func TestEmptyHost(t *testing.T) {
	folder := newFolder(t)
	result := capture(t, Options{Reader: simulated(t, "HV01", "denied"), Folder: folder, CallTimeout: time.Minute})
	if !result.Empty {
		t.Error("the capture is not empty")
	}
	if _, err := replay.OpenFolder(t.Context(), folder, nil); err != nil {
		t.Error(err)
	}
}

// The manifest describes the host and the program. All files are private.
func TestManifest(t *testing.T) {
	folder := newFolder(t)
	var steps []string
	result := capture(t, Options{
		Reader: simulated(t, "HV01"), Folder: folder, CallTimeout: time.Minute,
		Build: "20348", Language: "de-DE", Version: "1.2.3",
		Progress: func(done, total int, name string) { steps = append(steps, fmt.Sprint(done, "/", total, " ", name)) },
	})
	text := readFiles(t, folder)["manifest.xml"]
	if want := `<CAPTURE FORMAT="1" TIME="20261122120000.000000-000" BUILD="20348" LANGUAGE="de-DE" VERSION="1.2.3">`; !strings.Contains(text, want) {
		t.Errorf("got manifest:\n%s\nwant %s", text, want)
	}
	h, err := replay.OpenFolder(t.Context(), folder, nil)
	if err != nil || !h.Captured().Equal(noon) || h.Build() != "20348" {
		t.Errorf("got %+v, error %v", h, err)
	}
	if len(steps) < 20 || !strings.HasPrefix(steps[0], "0/18 Msvm_ComputerSystem") ||
		!strings.HasSuffix(steps[len(steps)-1], fmt.Sprint(len(steps)-1, "/", len(steps), " GetSystemCertificates")) {
		t.Errorf("got progress %q", steps)
	}
	if filepath.Dir(result.MappingFile) != filepath.Dir(folder) {
		t.Errorf("the mapping file is %s", result.MappingFile)
	}
}
