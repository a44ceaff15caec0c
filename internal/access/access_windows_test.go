package access

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/filetest"

	"golang.org/x/sys/windows"
)

// descriptor returns a security descriptor.
func descriptor(t *testing.T, sddl string) *windows.SECURITY_DESCRIPTOR {
	t.Helper()
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		t.Fatal(err)
	}
	return sd
}

// Only the account of the program, SYSTEM, the administrators and TrustedInstaller may have rights to write.
func TestAccessControlLists(t *testing.T) {
	me, err := currentUser()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := trustedSIDs(me)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		list          string
		write, orRead bool // somebody else has the right
	}{
		{"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;" + me.String() + ")", false, false},
		{"D:(A;OICIIO;GA;;;CO)(A;;FA;;;SY)", false, false},
		{"D:(A;;FA;;;SY)(A;;FR;;;BU)", false, true},
		{"D:(A;;FA;;;SY)(A;;FA;;;WD)", true, true},
		{"D:(A;;FA;;;SY)(A;;FW;;;AU)", true, true},
		{"D:(A;;FA;;;SY)(A;;WD;;;BU)", true, true},
		{"D:(A;;FA;;;SY)(A;;WO;;;BU)", true, true},
		{"D:(A;;FA;;;SY)(A;;SD;;;BU)", true, true},
		{"D:(A;;FA;;;SY)(A;;DC;;;BU)", true, true}, // FILE_ADD_FILE of a directory
		{"D:(A;;FA;;;SY)(A;OICIIO;GA;;;BU)", true, true},
		{"D:(D;;FA;;;WD)(A;;FA;;;SY)", false, false},
	} {
		sd := descriptor(t, tt.list)
		if other, err := otherWith(sd, writeRights, trusted); err != nil || (other != "") != tt.write {
			t.Errorf("%s: %q can write, error %v, want %v", tt.list, other, err, tt.write)
		}
		if other, err := otherWith(sd, writeRights|readRights, trusted); err != nil || (other != "") != tt.orRead {
			t.Errorf("%s: %q can read, error %v, want %v", tt.list, other, err, tt.orRead)
		}
	}
	for list, want := range map[string]bool{
		"D:(A;;FA;;;SY)(A;;FRFX;;;BU)": false,
		"D:(A;CI;0x40;;;BU)":           true,  // FILE_DELETE_CHILD
		"D:(A;CI;0x116;;;BU)":          false, // as in ProgramData: to create files
		"D:(A;OICI;0x1301bf;;;AU)":     true,  // Modify, as in a folder of the drive
		"D:(A;OICIIO;0x1301bf;;;AU)":   false, // as in the drive itself: only passed on
		"D:(A;;FA;;;SY)(A;;WD;;;BU)":   true,
	} {
		other, err := otherWith(descriptor(t, list), replaceRights, trusted)
		if err != nil || (other != "") != want {
			t.Errorf("%s: %q can replace files, error %v, want %v", list, other, err, want)
		}
	}
	without, err := windows.NewSecurityDescriptor()
	if err != nil {
		t.Fatal(err)
	}
	for _, present := range []bool{false, true} {
		if err := without.SetDACL(nil, present, false); err != nil {
			t.Fatal(err)
		}
		if other, err := otherWith(without, writeRights, trusted); err != nil || other != "everybody" {
			t.Errorf("no list, present %v: %q can write, error %v", present, other, err)
		}
	}
}

// A new directory and the files in it are only for this account and administrators. If others get rights, it is
// refused, with the command that mends it.
func TestDirectoryOfTheProgram(t *testing.T) {
	parent := filetest.Dir(t)
	dir := filepath.Join(parent, "a", "b")
	for range 2 {
		if err := CreateDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "x")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(file, false); err != nil { // Wine lets everybody read it: it does not pass on the directory's list
		t.Error(err)
	}
	list, _, err := descriptor(t, "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;WD)").DACL()
	if err != nil {
		t.Fatal(err)
	}
	err = windows.SetNamedSecurityInfo(file, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(file, false); err == nil || !strings.Contains(err.Error(), "icacls") {
		t.Errorf("a file that everybody can change: error %v", err)
	}
}
