package capture

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

const secret = "secrethost.secretdomain.test"

// secretive is a Reader of a host with one instance of each class, whose strings are all the same name.
type secretive struct{ wmiquery.Reader }

func (secretive) Now() time.Time { return noon }

func (secretive) Read(_ context.Context, dst any) error {
	rows := reflect.ValueOf(dst).Elem()
	row := reflect.New(rows.Type().Elem()).Elem()
	for _, f := range row.Fields() {
		switch {
		case f.Kind() == reflect.String:
			f.SetString(secret)
		case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.String:
			s := secret
			f.Set(reflect.ValueOf(&s))
		case f.Type() == reflect.TypeFor[[]string]():
			f.Set(reflect.ValueOf([]string{secret, secret}))
		}
	}
	rows.Set(reflect.Append(rows, row))
	return nil
}

func (secretive) Get(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
	return wmiquery.Reply{}, wmiquery.NewHRESULTError(0x80041001, "failure of "+secret)
}

// The properties that are constants of Hyper-V, and the masks of subnets, are the only strings that are not replaced.
func TestOnlyConstantsAreNotReplaced(t *testing.T) {
	folder := newFolder(t)
	capture(t, Options{Reader: secretive{}, Folder: folder, CallTimeout: time.Minute})
	var kept []string
	for name, text := range readFiles(t, folder) {
		for line := range strings.Lines(text) {
			if strings.Contains(strings.ToLower(line), "secret") {
				_, property, _ := strings.Cut(line, ` NAME="`)
				property, _, _ = strings.Cut(property, `"`)
				kept = append(kept, strings.TrimSuffix(name, ".xml")+"."+property)
			}
		}
	}
	slices.Sort(kept)
	want := []string{
		"Msvm_FailoverNetworkAdapterSettingData.Subnets",
		"Msvm_ReplicationService.CreationClassName",
		"Msvm_ReplicationService.Name",
		"Msvm_ReplicationService.SystemCreationClassName",
		"Msvm_ShutdownComponent.CreationClassName",
		"Msvm_ShutdownComponent.SystemCreationClassName",
		"Msvm_VirtualSystemSettingData.VirtualSystemType",
	}
	if !slices.Equal(kept, want) {
		t.Errorf("the secret is in %q, want %q", kept, want)
	}
}

// Like a scrape, a capture reads the statistics of the relationships that replicate, and of no others.
func TestStatisticsOfReplicatingRelationships(t *testing.T) {
	all, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), simulated(t, "HV02"))
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, r := range all {
		if *r.ReplicationState != 0 { // Disabled
			want++
		}
	}
	folder := newFolder(t)
	capture(t, Options{Reader: simulated(t, "HV02"), Folder: folder, CallTimeout: time.Minute})
	got := strings.Count(readFiles(t, folder)["GetReplicationStatisticsEx.xml"], "<CALL ")
	if got != want || want < 5 || want == len(all) {
		t.Errorf("got the statistics of %d relationships, want %d of %d", got, want, len(all))
	}
}

// withCertificate is a Reader whose host has only one certificate.
type withCertificate struct {
	wmiquery.Reader
	der []byte
}

func (r withCertificate) Get(ctx context.Context, call wmiquery.Call) (wmiquery.Reply, error) {
	if call.Method != "GetSystemCertificates" {
		return r.Reader.Get(ctx, call)
	}
	encoded := []string{base64.StdEncoding.EncodeToString(r.der)}
	return wmiquery.Reply{Out: map[string]any{"EncodedCertificates": encoded}}, nil
}

// A certificate that cannot be parsed cannot be parsed in the replay, either. Nothing of it is in the capture.
func TestInvalidCertificate(t *testing.T) {
	folder := newFolder(t)
	der := []byte("secret: not a certificate")
	capture(t, Options{Reader: withCertificate{simulated(t, "HV01"), der}, Folder: folder, CallTimeout: time.Minute})
	text := readFiles(t, folder)["GetSystemCertificates.xml"]
	thumbprint := fmt.Sprintf("%040X", 3) // the settings have the first one and its root
	if want := `<CERTIFICATE THUMBPRINT="` + thumbprint + `" INVALID="true"></CERTIFICATE>`; !strings.Contains(text, want) {
		t.Errorf("got:\n%s\nwant %s", text, want)
	}
	s := openReplay(t, folder)
	var services []msvm.ReplicationService
	if err := s.Read(&services); err != nil || len(services) != 1 {
		t.Fatalf("got %d services, error %v", len(services), err)
	}
	reply, err := s.Call(msvm.GetSystemCertificates(services[0]))
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := msvm.Certificates(reply)
	if err != nil || len(certificates) != 1 {
		t.Fatalf("got %d certificates, error %v", len(certificates), err)
	}
	if c, err := x509.ParseCertificate(certificates[0]); err == nil {
		t.Errorf("got a certificate that is valid until %v", c.NotAfter)
	}
}
