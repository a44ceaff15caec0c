package service

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// fakeHost is a computer that has objects with settings.
type fakeHost struct {
	objects map[string][]Setting // by kind and object
	fails   Kind                 // the kind whose steps fail
	files   bool                 // whether the data folder has files
	changes []string             // what was applied and removed
	running bool
}

func newFakeHost() *fakeHost { return &fakeHost{objects: map[string][]Setting{}} }

func key(s Step) string { return string(s.Kind) + " " + s.Object }

func (h *fakeHost) Read(s Step) ([]Setting, error) { return slices.Clone(h.objects[key(s)]), nil }

func (h *fakeHost) Apply(s Step) error {
	if s.Kind == h.fails {
		return errors.New("access is denied")
	}
	h.changes = append(h.changes, "apply "+key(s))
	h.objects[key(s)] = slices.Clone(s.Want)
	return nil
}

func (h *fakeHost) Remove(s Step) (bool, error) {
	if s.Kind == h.fails {
		return false, errors.New("access is denied")
	}
	h.changes = append(h.changes, "remove "+key(s))
	if s.Kind == DataFolder && h.files {
		return true, nil
	}
	delete(h.objects, key(s))
	return false, nil
}

func (h *fakeHost) Start() error { h.running = true; return nil }

func (h *fakeHost) Stop() error { h.running = false; return nil }

func (h *fakeHost) State() (string, error) {
	if h.objects["service hyperv_replica_exporter"] == nil {
		return "", ErrNotInstalled
	}
	return "running", nil
}

var testConfig = Config{
	Program: `C:\Program Files\hyperv_replica_exporter\hyperv_replica_exporter.exe`,
	Args:    []string{"--rpo.objective=15m"}, DataDir: `C:\ProgramData\hyperv_replica_exporter`,
	Addresses: []string{"192.0.2.10"},
}

// allObjects are the objects of an installation. Recovery and delayed start belong to the service.
var allObjects = []string{
	"event source hyperv_replica_exporter",
	"service hyperv_replica_exporter",
	`data folder C:\ProgramData\hyperv_replica_exporter`,
	"group S-1-5-32-578",
	"group S-1-5-32-558",
	"recovery hyperv_replica_exporter",
	"delayed start hyperv_replica_exporter",
	"firewall rule hyperv_replica_exporter",
}

// install installs and returns what was changed and what was printed.
func install(t *testing.T, h *fakeHost, c Config) (changes []string, output string) {
	t.Helper()
	var b strings.Builder
	h.changes = nil
	if err := Install(&b, h, Steps(c)); err != nil {
		t.Fatal(err)
	}
	return h.changes, b.String()
}

func TestInstallCreatesEverythingOnce(t *testing.T) {
	h := newFakeHost()
	var want []string
	for _, o := range allObjects {
		want = append(want, "apply "+o)
	}
	if got, _ := install(t, h, testConfig); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got, output := install(t, h, testConfig)
	if len(got) > 0 || strings.Count(output, ": unchanged\n") != len(allObjects) {
		t.Errorf("a second installation changes %q:\n%s", got, output)
	}
}

// Other flags change the command line only, and the output says from what to what.
func TestInstallChangesOnlyWhatDiffers(t *testing.T) {
	h := newFakeHost()
	install(t, h, testConfig)
	c := testConfig
	c.Args = []string{"--rpo.objective=5m"}
	got, output := install(t, h, c)
	if want := []string{"apply service hyperv_replica_exporter"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	line := `    command line: "C:\Program Files\hyperv_replica_exporter\hyperv_replica_exporter.exe" --rpo.objective=5m, ` +
		`was "C:\Program Files\hyperv_replica_exporter\hyperv_replica_exporter.exe" --rpo.objective=15m` + "\n"
	if !strings.Contains(output, "hyperv_replica_exporter: changed\n"+line) {
		t.Errorf("the output does not show the change:\n%s", output)
	}
}

// The firewall lets nobody in without an address: an earlier rule is removed.
func TestInstallWithoutAddressesRemovesFirewallRule(t *testing.T) {
	h := newFakeHost()
	c := testConfig
	c.Addresses = nil
	if got, _ := install(t, h, c); slices.Contains(got, "apply firewall rule hyperv_replica_exporter") {
		t.Errorf("a rule is created: %q", got)
	}
	install(t, h, testConfig)
	got, output := install(t, h, c)
	if want := []string{"remove firewall rule hyperv_replica_exporter"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.Contains(output, "firewall rule  hyperv_replica_exporter: removed\n") {
		t.Errorf("the output does not say that the rule is removed:\n%s", output)
	}
}

// An installation that fails says which step failed, what is done and how to go on; the next one does the rest.
func TestInstallGoesOnAfterFailedStep(t *testing.T) {
	h := newFakeHost()
	h.fails = Group
	err := Install(&strings.Builder{}, h, Steps(testConfig))
	want := "step 4 of 8, group S-1-5-32-578: access is denied; done: event source, service, data folder; " +
		"correct the cause and run service install again, which does only what is missing"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	h.fails = ""
	got, _ := install(t, h, testConfig)
	if len(got) != 5 || got[0] != "apply group S-1-5-32-578" {
		t.Errorf("the next installation does %q", got)
	}
}

func TestUninstallRevertsInstall(t *testing.T) {
	for _, files := range []bool{false, true} {
		h := newFakeHost()
		install(t, h, testConfig)
		h.running, h.files, h.changes = true, files, nil
		var b strings.Builder
		if err := Uninstall(&b, h, Steps(testConfig)); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"remove firewall rule hyperv_replica_exporter",
			"remove group S-1-5-32-558", "remove group S-1-5-32-578",
			`remove data folder C:\ProgramData\hyperv_replica_exporter`,
			"remove service hyperv_replica_exporter",
			"remove event source hyperv_replica_exporter",
		}
		if !slices.Equal(h.changes, want) || h.running {
			t.Errorf("running is %t, got %q, want %q", h.running, h.changes, want)
		}
		kept := `data folder    C:\ProgramData\hyperv_replica_exporter: kept, it has files such as the audit log`
		if got := strings.Contains(b.String(), kept); got != files {
			t.Errorf("files %t: the output says kept: %t\n%s", files, got, b.String())
		}
	}
}

// A step that fails does not keep the service on the host.
func TestUninstallGoesOnAfterFailedStep(t *testing.T) {
	h := newFakeHost()
	install(t, h, testConfig)
	h.fails = FirewallRule
	err := Uninstall(&strings.Builder{}, h, Steps(testConfig))
	want := "firewall rule: access is denied; correct the cause and run service uninstall again, " +
		"which does only what is missing"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if h.objects["service hyperv_replica_exporter"] != nil || h.objects["firewall rule hyperv_replica_exporter"] == nil {
		t.Errorf("left: %v", h.objects)
	}
}

// Without the service, an uninstallation removes what else there is.
func TestUninstallAfterPartOfInstall(t *testing.T) {
	h := newFakeHost()
	h.objects["event source hyperv_replica_exporter"] = []Setting{{"message file", "a"}}
	var b strings.Builder
	if err := Uninstall(&b, h, Steps(testConfig)); err != nil {
		t.Fatal(err)
	}
	if len(h.objects) > 0 || strings.Count(b.String(), ": already absent\n") != 5 {
		t.Errorf("%v is left:\n%s", h.objects, b.String())
	}
}

// Each step that has an object of its own can be undone, and each can be checked with its commands.
func TestStepsHaveCommands(t *testing.T) {
	for _, s := range Steps(testConfig) {
		withService := s.Kind == Recovery || s.Kind == DelayedStart
		if len(s.Install) == 0 || s.Purpose == "" || len(s.Want) == 0 || (len(s.Uninstall) == 0) != withService {
			t.Errorf("%s %s is not complete", s.Kind, s.Object)
		}
	}
	var b strings.Builder
	Write(&b, Steps(testConfig))
	for _, want := range []string{
		"PS> sc.exe failureflag hyperv_replica_exporter 1\n",
		"PS> sc.exe failure hyperv_replica_exporter reset= 86400 actions= restart/5000/restart/60000/restart/300000\n",
		"PS> sc.exe config hyperv_replica_exporter start= delayed-auto\n",
		`PS> sc.exe config hyperv_replica_exporter obj= "NT SERVICE\hyperv_replica_exporter"` + "\n",
		`PS> net.exe localgroup (Get-LocalGroup -SID S-1-5-32-578).Name "NT SERVICE\hyperv_replica_exporter" /add` + "\n",
		"-Protocol TCP -LocalPort 10483 -Program " +
			`'C:\Program Files\hyperv_replica_exporter\hyperv_replica_exporter.exe' -RemoteAddress 192.0.2.10` + "\n",
		"/inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-80-",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in:\n%s", want, b.String())
		}
	}
}

// The audit names each setting that differs, and neither the command line nor the firewall rule.
func TestAudit(t *testing.T) {
	h := newFakeHost()
	steps := Steps(Config{DataDir: testConfig.DataDir})
	if _, err := Audit(h, steps); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("got %v without a service", err)
	}
	install(t, h, testConfig)
	if got, err := Audit(h, steps); len(got) > 0 || err != nil {
		t.Errorf("got %q, %v after an installation", got, err)
	}
	delete(h.objects, "group S-1-5-32-578")
	h.objects["service hyperv_replica_exporter"][1].Value = "LocalSystem"
	folder := `data folder C:\ProgramData\hyperv_replica_exporter`
	h.objects[folder] = append(h.objects[folder], Setting{"S-1-5-32-545", "modify"})
	got, err := Audit(h, steps)
	want := []string{
		`service: account is LocalSystem instead of NT SERVICE\hyperv_replica_exporter`,
		"data folder: S-1-5-32-545 is modify instead of none",
		"group S-1-5-32-578: does not exist",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
