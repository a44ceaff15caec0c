package cli

import (
	"os"
	"strconv"
	"strings"

	"hyperv_replica_exporter/internal/exporter"

	"golang.org/x/sys/windows"
)

// describeComputer returns the build number and the language of Windows, and the names of this computer and of its
// domains.
func describeComputer() (build, language string, names []string) {
	build = strconv.FormatUint(uint64(windows.RtlGetVersion().BuildNumber), 10)
	languages, err := windows.GetSystemPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err == nil && len(languages) > 0 {
		language = languages[0]
	}
	names = append([]string{os.Getenv("USERDOMAIN")}, exporter.ComputerNames()...)
	// The name of the domain of NetBIOS is often the first part of the domain of DNS.
	if _, domain, _ := strings.Cut(names[len(names)-1], "."); domain != "" {
		label, _, _ := strings.Cut(domain, ".")
		names = append(names, label)
	}
	return build, language, names
}

// describeAccount returns the rights of this process that matter to Hyper-V. The SIDs are those of "Well-known SIDs" in
// the reference of Windows.
func describeAccount() string {
	rights := []string{"elevated: " + yesOrNo(windows.GetCurrentProcessToken().IsElevated(), nil)}
	for _, group := range []struct{ name, sid string }{
		{"Administrators", "S-1-5-32-544"}, {"Hyper-V Administrators", "S-1-5-32-578"},
	} {
		sid, err := windows.StringToSid(group.sid)
		member := false
		if err == nil {
			member, err = windows.Token(0).IsMember(sid) // 0 stands for the token of the process
		}
		rights = append(rights, group.name+": "+yesOrNo(member, err))
	}
	return strings.Join(rights, ", ")
}

func yesOrNo(yes bool, err error) string {
	switch {
	case err != nil:
		return "unknown"
	case yes:
		return "yes"
	}
	return "no"
}
