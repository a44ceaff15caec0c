package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Rights to change a file or directory, and to read a file.
const (
	writeRights = windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | fileDeleteChild | windows.DELETE |
		windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_WRITE | windows.GENERIC_ALL
	readRights = windows.FILE_READ_DATA | windows.GENERIC_READ

	// replaceRights are the rights to rename or delete a directory or an entry of it.
	replaceRights = fileDeleteChild | windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_ALL

	fileDeleteChild = 0x40

	accessAllowedCallbackType = 9 // like ACCESS_ALLOWED_ACE, with a condition after the SID
)

// checkOwnerAndPermissions returns an error if a file or directory belongs to others, or if its access control list
// allows others to change it or, if it is secret, to read it. Others are all but the account of this program, SYSTEM,
// the administrators and TrustedInstaller.
func checkOwnerAndPermissions(path string, info fs.FileInfo, secret bool) error {
	me, sd, trusted, err := readSecurity(path)
	if err != nil {
		return err
	}
	unsafeRights := uint32(writeRights)
	if secret {
		unsafeRights |= readRights
	}
	other, err := otherWith(sd, unsafeRights, trusted)
	if err != nil {
		return &os.PathError{Op: "read permissions", Path: path, Err: err}
	}
	if other == "" {
		return nil
	}
	what, inherited := "change it", ""
	if secret {
		what = "read or change it"
	}
	if info.IsDir() {
		inherited = "(OI)(CI)"
	}
	return fmt.Errorf("%[1]s: %[2]s can %[3]s; run: icacls \"%[1]s\" /inheritance:r /grant:r *S-1-5-18:%[4]sF "+
		"*S-1-5-32-544:%[4]sF *%[5]s:%[4]sF", path, other, what, inherited, me)
}

// checkParent returns an error if a directory belongs to others, or if its access control list allows others to rename
// or delete its entries, or the directory itself.
func checkParent(path string, _ fs.FileInfo) error {
	_, sd, trusted, err := readSecurity(path)
	if err != nil {
		return err
	}
	other, err := otherWith(sd, replaceRights, trusted)
	if err != nil {
		return &os.PathError{Op: "read permissions", Path: path, Err: err}
	}
	if other != "" {
		return fmt.Errorf("%s: %s can replace its files; use a directory that only administrators can change", path, other)
	}
	return nil
}

// readSecurity returns the account of this program, the access control list of a file or directory, and the accounts
// that may change everything. It returns an error if the file belongs to others.
func readSecurity(path string) (me *windows.SID, sd *windows.SECURITY_DESCRIPTOR, trusted []*windows.SID, err error) {
	if me, err = currentUser(); err != nil {
		return nil, nil, nil, err
	}
	if trusted, err = trustedSIDs(me); err != nil {
		return nil, nil, nil, err
	}
	sd, err = windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil, nil, nil, &os.PathError{Op: "read permissions", Path: path, Err: err}
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return nil, nil, nil, &os.PathError{Op: "read owner", Path: path, Err: err}
	}
	if !contains(trusted, owner) {
		return nil, nil, nil, fmt.Errorf("%s: belongs to %s, who can change it; run: icacls \"%s\" /setowner *S-1-5-32-544",
			path, nameOf(owner), path)
	}
	return me, sd, trusted, nil
}

// otherWith returns the name of somebody who is not trusted and has some of the rights, "" if there is nobody.
// Entries that a directory only passes on are ignored for replaceRights, since they concern other files.
func otherWith(sd *windows.SECURITY_DESCRIPTOR, rights uint32, trusted []*windows.SID) (string, error) {
	dacl, _, err := sd.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && dacl == nil {
		return "everybody", nil // without a list everybody has all rights
	}
	if err != nil {
		return "", err
	}
	for i := range uint32(dacl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(dacl, i, &ace); err != nil {
			return "", err
		}
		if t := ace.Header.AceType; t != windows.ACCESS_ALLOWED_ACE_TYPE && t != accessAllowedCallbackType {
			continue
		}
		if rights == replaceRights && ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 {
			continue
		}
		sid := (*windows.SID)(unsafe.Pointer(&ace.SidStart))
		if uint32(ace.Mask)&rights != 0 && !contains(trusted, sid) {
			return nameOf(sid), nil
		}
	}
	return "", nil
}

// trustedSIDs returns the accounts that may change everything. CREATOR OWNER stands for one of these in entries that a
// directory passes on.
func trustedSIDs(me *windows.SID) ([]*windows.SID, error) {
	trusted := []*windows.SID{me}
	for _, known := range []windows.WELL_KNOWN_SID_TYPE{
		windows.WinLocalSystemSid, windows.WinBuiltinAdministratorsSid, windows.WinCreatorOwnerSid,
	} {
		sid, err := windows.CreateWellKnownSid(known)
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, sid)
	}
	installer, err := windows.StringToSid("S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464")
	return append(trusted, installer), err
}

func contains(all []*windows.SID, sid *windows.SID) bool {
	for _, one := range all {
		if one.Equals(sid) {
			return true
		}
	}
	return false
}

// nameOf returns the name of an account, or its SID.
func nameOf(sid *windows.SID) string {
	if account, domain, _, err := sid.LookupAccount(""); err == nil {
		return domain + `\` + account
	}
	return sid.String()
}

func currentUser() (*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	return user.User.Sid, nil
}

// createDir creates a directory that inherits no permissions.
func createDir(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	me, err := currentUser()
	if err != nil {
		return err
	}
	sd, err := windows.SecurityDescriptorFromString(
		"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;" + me.String() + ")")
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	attributes := windows.SecurityAttributes{SecurityDescriptor: sd}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	if err := windows.CreateDirectory(name, &attributes); err != nil {
		return &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return nil
}
