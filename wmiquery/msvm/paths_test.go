package msvm

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Windows writes GUIDs in paths in both cases, and names in WMI are not case-sensitive. The exporter compares VMs by
// GUID, so the result is always in upper case.
func TestVMOfPath(t *testing.T) {
	vm := `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + guid + `"`
	settings := `Msvm_SyntheticEthernetPortSettingData.InstanceID="Microsoft:` + guid + `\\1B2C0D\\0"`
	relationship := `Msvm_ReplicationRelationship.InstanceID="Microsoft:` + guid + `\\HVR\\0"`
	for path, want := range map[string]string{
		vm:                            guid,
		strings.ToLower(vm):           guid,
		strings.ToUpper(vm):           guid,
		settings:                      guid,
		strings.ToLower(settings):     guid,
		relationship:                  guid,
		strings.ToLower(relationship): guid,

		"":                    "",
		guid:                  "",
		"Msvm_ComputerSystem": "",
		`Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="HV01"`:                 "",
		`Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + guid[1:] + `"`:     "",
		`Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + guid + `0"`:        "",
		`Msvm_ComputerSystem.InstanceID="Microsoft:` + guid + `"`:                                 "",
		`Msvm_ConcreteJob.InstanceID="` + guid + `"`:                                              "",
		`Msvm_X.InstanceID="Microsoft:` + guid[:30] + `"`:                                         "",
		`Msvm_X.InstanceID="Microsoft:` + guid[:30]:                                               "",
		`Msvm_X.InstanceID="Microsoft:Definition\\` + guid + `"`:                                  "",
		`Msvm_ReplicationService.CreationClassName="Msvm_ReplicationService",Name="` + guid + `"`: "",
		`Msvm_ReplicationProvider.Name="` + guid + `"`:                                            "",
		`Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",ElementName="` + guid + `"`:  "",
	} {
		if got := VMOf(wmiquery.Ref(path)); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestJobIDOfPath(t *testing.T) {
	path := `Msvm_ConcreteJob.InstanceID="` + guid + `"`
	for path, want := range map[string]string{
		path:                                    guid,
		strings.ToLower(path):                   guid,
		`\\HV01\root\virtualization\v2:` + path: guid,
		"":                                      "",
		"Msvm_ConcreteJob":                      "",
		`Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + guid + `"`: "",
	} {
		if got := JobID(wmiquery.Ref(path)); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// The GUID of the VM is known even if the number of the relationship is not.
func TestParseKeyReturnsVMOfUnknownRelationship(t *testing.T) {
	for id, want := range map[string]string{
		`Microsoft:` + guid + `\HVR\2`:                  guid,
		`microsoft:` + strings.ToLower(guid) + `\hvr\2`: guid,
		`Microsoft:` + guid + `\HVR`:                    guid,
		`Microsoft:` + guid:                             "",
		`Microsoft:` + guid[1:] + `\HVR\2`:              "",
		guid + `\HVR\0`:                                 "",
	} {
		key, err := ParseKey(id)
		if err == nil || key.VM != want || key.Link != "" {
			t.Errorf("%s: got key %+v, error %v; want VM %q, no link and an error", id, key, err, want)
		}
	}
}

// Keys of paths with quotes and backslashes, which names of hosts cannot have but other properties can.
func TestPathsEscapeTheirKeys(t *testing.T) {
	for _, tt := range []struct{ got, want wmiquery.Ref }{
		{JobRef(`a"b\c`), `Msvm_ConcreteJob.InstanceID="a\"b\\c"`},
		{
			FailoverNetworkAdapterSettingData{InstanceID: new(`Microsoft:A\B`)}.Ref(),
			`Msvm_FailoverNetworkAdapterSettingData.InstanceID="Microsoft:A\\B"`,
		},
		{FailoverNetworkAdapterSettingData{InstanceID: new("")}.Ref(), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

// The provider of Hyper-V writes an absolute path, in any case. A relationship without provider has none.
func TestProviderIDOfPath(t *testing.T) {
	for path, want := range map[string]string{
		`\\HV01\root\virtualization\v2:Msvm_ReplicationProvider.Name="22391cdc-272c-4ddf-ba88-9befb1a0975c"`: builtinGUID,
		`Msvm_ReplicationProvider.Name="22391CDC-272C-4DDF-BA88-9BEFB1A0975C"`:                               builtinGUID,
		`Msvm_ReplicationProvider.Name="aaaaaaaa-0000-0000-0000-000000000001"`:                               "AAAAAAAA-0000-0000-0000-000000000001",
		`msvm_replicationprovider.name="22391cdc-272c-4ddf-ba88-9befb1a0975c"`:                               builtinGUID,
		`Msvm_ReplicationProvider`: "",
		"":                         "",
	} {
		if got := (ReplicationSettingData{ReplicationProvider: &path}).ProviderID(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if got := (ReplicationSettingData{}).ProviderID(); got != "" {
		t.Errorf("null: got %q", got)
	}
}

// builtinGUID is the GUID of the built-in provider of Hyper-V.
const builtinGUID = "22391CDC-272C-4DDF-BA88-9BEFB1A0975C"

// A time is known from 1602 on: with an offset, "never" may be up to a day after the start of 1601.
func TestKnownTimes(t *testing.T) {
	for text, want := range map[string]bool{
		"0001-01-01T00:00:00Z": false, "1600-12-31T16:00:00Z": false, "1601-01-01T00:00:00Z": false,
		"1601-01-01T14:00:00Z": false, "1602-01-01T00:00:00Z": true, "1970-01-01T00:00:00Z": true,
		"2026-11-22T21:40:01Z": true, "9999-12-31T23:59:59Z": true,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		got, known := Known(&at)
		if known != want || known && !got.Equal(at) || !known && !got.IsZero() {
			t.Errorf("%s: got %v, %v; want %v", text, got, known, want)
		}
	}
	if got, known := Known(nil); known || !got.IsZero() {
		t.Errorf("null: got %v, %v", got, known)
	}
}

func TestCertificatesOfReply(t *testing.T) {
	encode := base64.StdEncoding.EncodeToString
	for name, tt := range map[string]struct {
		code uint32
		out  any
		want []string
		err  error
		text string // of an error without a sentinel
	}{
		"two":           {out: []string{encode([]byte("one")), encode([]byte("two"))}, want: []string{"one", "two"}},
		"empty element": {out: []string{"", encode([]byte("one"))}, want: []string{"one"}},
		"empty":         {out: []string{}},
		"null":          {},
		"job":           {code: 4096, err: ErrJobStarted},
		"denied":        {code: 32769, err: wmiquery.ErrDenied},
		"other type":    {out: "x"},
		"not base64":    {out: []string{encode([]byte("one")), "?"}, text: "EncodedCertificates: illegal base64"},
	} {
		all, err := Certificates(wmiquery.Reply{Code: tt.code, Out: map[string]any{"EncodedCertificates": tt.out}})
		if tt.text != "" {
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: got error %v, want %q", name, err, tt.text)
			}
			continue
		}
		if !errors.Is(err, tt.err) || len(all) != len(tt.want) {
			t.Errorf("%s: got %q, error %v; want %q, %v", name, all, err, tt.want, tt.err)
			continue
		}
		for i, want := range tt.want {
			if string(all[i]) != want {
				t.Errorf("%s: certificate %d is %q, want %q", name, i, all[i], want)
			}
		}
	}
}

// The call for certificates is one to the service of the host in the namespace of Hyper-V.
func TestGetSystemCertificatesCall(t *testing.T) {
	call := GetSystemCertificates(ReplicationService{
		Name: "replicasvc", CreationClassName: "Msvm_ReplicationService", SystemName: "HV01",
		SystemCreationClassName: "Msvm_ComputerSystem",
	})
	if call.Namespace != `root\virtualization\v2` || call.Method != "GetSystemCertificates" || len(call.In) != 0 ||
		!strings.HasSuffix(string(call.Object), `SystemName="HV01"`) {
		t.Errorf("got call %+v", call)
	}
}
