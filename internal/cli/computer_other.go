//go:build !windows

package cli

// describeComputer returns nothing: this computer is not a Hyper-V host.
func describeComputer() (build, language string, names []string) { return "", "", nil }

// describeAccount returns nothing: this computer is not a Hyper-V host.
func describeAccount() string { return "" }
