package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	netapi32        = windows.NewLazySystemDLL("netapi32.dll")
	addGroupMembers = netapi32.NewProc("NetLocalGroupAddMembers")
	delGroupMembers = netapi32.NewProc("NetLocalGroupDelMembers")
	getGroupMembers = netapi32.NewProc("NetLocalGroupGetMembers")
)

// memberInfo is LOCALGROUP_MEMBERS_INFO_0. Members are given by SID: a name would have to be resolved.
type memberInfo struct{ sid *windows.SID }

// groupAndMember returns the name of the group in the language of Windows, and the SID of the service.
func groupAndMember(s Step) (group *uint16, member *windows.SID, err error) {
	sid, err := windows.StringToSid(s.Object)
	if err != nil {
		return nil, nil, err
	}
	name, _, _, err := sid.LookupAccount("")
	if err != nil {
		return nil, nil, fmt.Errorf("group %s: %w", s.Object, err)
	}
	if group, err = windows.UTF16PtrFromString(name); err != nil {
		return nil, nil, err
	}
	member, err = windows.StringToSid(accountSID(Name))
	return group, member, err
}

func readGroup(_ *computer, s Step) ([]Setting, error) {
	group, wanted, err := groupAndMember(s)
	if err != nil {
		return nil, err
	}
	if err := getGroupMembers.Find(); err != nil {
		return nil, err
	}
	var buffer *memberInfo
	var read, total uint32
	const preferredLength = 0xffffffff // all members
	status, _, _ := getGroupMembers.Call(0, uintptr(unsafe.Pointer(group)), 0, uintptr(unsafe.Pointer(&buffer)),
		preferredLength, uintptr(unsafe.Pointer(&read)), uintptr(unsafe.Pointer(&total)), 0)
	if status != 0 {
		return nil, syscall.Errno(status)
	}
	defer windows.NetApiBufferFree((*byte)(unsafe.Pointer(buffer))) //nolint:errcheck // nothing can be done about it
	for _, m := range unsafe.Slice(buffer, read) {
		if m.sid.Equals(wanted) {
			return []Setting{{member, Account}}, nil
		}
	}
	return nil, nil
}

func applyGroup(_ *computer, s Step) error { return changeGroup(addGroupMembers, s) }

func removeGroup(_ *computer, s Step) (kept bool, err error) {
	return false, changeGroup(delGroupMembers, s)
}

// changeGroup adds or removes the account of the service.
func changeGroup(change *windows.LazyProc, s Step) error {
	group, sid, err := groupAndMember(s)
	if err != nil {
		return err
	}
	if err := change.Find(); err != nil {
		return err
	}
	m := memberInfo{sid}
	status, _, _ := change.Call(0, uintptr(unsafe.Pointer(group)), 0, uintptr(unsafe.Pointer(&m)), 1)
	if status != 0 {
		return syscall.Errno(status)
	}
	return nil
}

// Access masks of "full" and "modify", as icacls.exe grants them with F and M.
var masks = map[string]windows.ACCESS_MASK{full: 0x1f01ff, modify: 0x1301bf}

func readFolder(_ *computer, s Step) ([]Setting, error) {
	if _, err := os.Lstat(s.Object); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	sd, err := windows.GetNamedSecurityInfo(s.Object, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil, err
	}
	sid, _, err := sd.Owner()
	if err != nil {
		return nil, err
	}
	control, _, err := sd.Control()
	if err != nil {
		return nil, err
	}
	settings := []Setting{{owner, sid.String()}, {inheritance, yes}}
	if control&windows.SE_DACL_PROTECTED != 0 {
		settings[1].Value = no
	}
	list, _, err := sd.DACL()
	if err != nil {
		return nil, err
	}
	if list == nil {
		return append(settings, Setting{"everybody", full}), nil
	}
	for i := range uint32(list.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &ace); err != nil {
			return nil, err
		}
		value := fmt.Sprintf("type %d, flags %#x, mask %#x", ace.Header.AceType, ace.Header.AceFlags, ace.Mask)
		const toAll = windows.OBJECT_INHERIT_ACE | windows.CONTAINER_INHERIT_ACE
		for name, mask := range masks {
			if ace.Header.AceType == windows.ACCESS_ALLOWED_ACE_TYPE && ace.Mask == mask && ace.Header.AceFlags == toAll {
				value = name
			}
		}
		settings = append(settings, Setting{(*windows.SID)(unsafe.Pointer(&ace.SidStart)).String(), value})
	}
	return settings, nil
}

// applyFolder creates the folder and sets its owner and its rights. The owner matters: any user can create a folder in
// %ProgramData%, and the owner of a folder can always change its rights.
func applyFolder(_ *computer, s Step) error {
	if err := os.MkdirAll(s.Object, 0o700); err != nil {
		return err
	}
	var entries []windows.EXPLICIT_ACCESS
	for _, setting := range s.Want {
		mask, ok := masks[setting.Value]
		if !ok {
			continue
		}
		sid, err := windows.StringToSid(setting.Name)
		if err != nil {
			return err
		}
		entries = append(entries, windows.EXPLICIT_ACCESS{
			AccessPermissions: mask,
			AccessMode:        windows.GRANT_ACCESS,
			Inheritance:       windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT,
			Trustee: windows.TRUSTEE{
				TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeValue: windows.TrusteeValueFromSID(sid),
			},
		})
	}
	list, err := windows.ACLFromEntries(entries, nil)
	if err != nil {
		return err
	}
	administrators, err := windows.StringToSid(valueOf(s.Want, owner))
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(s.Object, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, administrators, nil, list, nil)
}

// removeFolder removes an empty folder. A folder with files is kept, without the rights of the service.
func removeFolder(c *computer, s Step) (kept bool, err error) {
	files, err := os.ReadDir(s.Object)
	if err != nil {
		return false, err
	}
	if len(files) == 0 {
		return false, os.Remove(s.Object)
	}
	var want []Setting
	for _, setting := range s.Want {
		if setting.Name != accountSID(Name) {
			want = append(want, setting)
		}
	}
	s.Want = want
	return true, applyFolder(c, s)
}
