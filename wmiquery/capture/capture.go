// Package capture saves what this program reads from a Hyper-V host to files, with names and addresses replaced.
// Package replay reads such files instead of a host.
//
// The package gets a [wmiquery.Reader], which cannot change the host. It reads the same values as a scrape: the
// properties of the classes of package msvm, and the replies of the methods that a scrape calls.
package capture

import (
	"context"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Options configures a capture.
type Options struct {
	Reader wmiquery.Reader
	// Folder is where the files are written. It must be empty or not exist.
	Folder string
	// DryRun means that the host is read but nothing is written.
	DryRun bool
	// KeepGUIDs means that GUIDs are not replaced.
	KeepGUIDs bool
	// CallTimeout is the timeout of one read or method call.
	CallTimeout time.Duration
	// HostNames are names of the host and of its domains that are known beforehand, to be replaced in messages.
	HostNames []string
	// Build, Language and Version are values for the manifest, see [replay.Recording].
	Build, Language, Version string
	// Progress, if not nil, is called before each read or call: how many there were before, how many there are as far
	// as is known, and the name of the class or the method.
	Progress func(done, total int, name string)
}

// Result describes a capture.
type Result struct {
	// MappingFile is the path of the file with the list of replacements, which is not part of the capture.
	MappingFile string
	// Replaced has the number of values that were replaced, by kind.
	Replaced []Count
	// Failures describes the reads and calls that failed, and invalid values, with the names of the host. They are part
	// of the capture.
	Failures []string
	// Empty means that the host has not returned its replication service, as if the account had no rights.
	Empty bool
}

// Count is the number of values of a kind that were replaced.
type Count struct {
	Kind   string
	Number int
}

// Run makes a capture. If it fails or ctx ends, the folder has no manifest, so it cannot be mistaken for a capture.
func Run(ctx context.Context, o Options) (Result, error) {
	target, err := openTarget(o.Folder, o.DryRun)
	if err != nil {
		return Result{}, err
	}
	defer target.close()
	recording, failures, err := record(ctx, o)
	if err != nil {
		return Result{}, err
	}
	r := newReplacer(o.KeepGUIDs, o.HostNames)
	replaced, err := r.recording(recording)
	if err != nil {
		return Result{}, err
	}
	files, err := replaced.Files()
	if err != nil {
		return Result{}, err
	}
	result := Result{
		MappingFile: target.mapping, Replaced: r.mapping.counts(), Failures: failures, Empty: !hasService(recording),
	}
	if o.DryRun {
		return result, nil
	}
	return result, target.write(ctx, files, r.mapping)
}
