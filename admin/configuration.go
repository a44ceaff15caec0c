package admin

import (
	"errors"
	"fmt"
	"slices"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/internal/access"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// WebConfig is the part of the listener's web config that the endpoint uses.
type WebConfig = authz.WebConfig

// ReadWebConfig reads a file in the format of the exporter toolkit. Without a file it returns an empty config.
func ReadWebConfig(file string) (WebConfig, error) { return authz.ReadWebConfig(file) }

// Check returns an error if the configuration is not valid, or if others can change its files. It opens no files for
// writing.
func Check(o Options) error {
	_, w, err := readConfiguration(o)
	if err != nil {
		return err
	}
	return checkFiles(o, w)
}

// CheckFile returns an error if others can change a file that decides who may control the host.
func CheckFile(path string) error { return access.CheckFile(path, false) }

// readConfiguration reads the policy and the web config, and checks that they fit together.
func readConfiguration(o Options) (*authz.Policy, WebConfig, error) {
	w, err := authz.ReadWebConfig(o.WebConfigFile)
	if err != nil {
		return nil, w, fmt.Errorf("admin endpoint: web config: %w", err)
	}
	for _, a := range o.Addresses {
		if err := w.CheckAddress(a); err != nil {
			return nil, w, fmt.Errorf("admin endpoint: %w", err)
		}
	}
	p, err := authz.ReadPolicy(o.PolicyFile, isMethodOrAction)
	if err != nil {
		return nil, w, fmt.Errorf("admin endpoint: policy: %w", err)
	}
	if p.File() != "" && !w.Authenticates() {
		return nil, w, errors.New("admin endpoint: a policy requires authentication: the web config must have users, " +
			"or client certificates that are required and verified")
	}
	return p, w, nil
}

// isMethodOrAction reports whether a policy can list a name in methods.
func isMethodOrAction(name string) bool {
	if _, ok := operation.FindAction(name); ok || name == maintenanceAction || name == operation.UnlockAction {
		return true
	}
	return slices.ContainsFunc(msvm.Methods(), func(m msvm.Method) bool { return m.Name == name })
}

// PolicyReport describes a policy.
type PolicyReport struct {
	ReadOnly bool
	Grants   []authz.Grant // in the order of the rules
	Warnings []string      // parts of the policy that have no effect
}

// DescribePolicy reads a policy file and describes it. With the name of a web config it also returns warnings about
// callers that the web config does not know.
func DescribePolicy(policyFile, webConfigFile string) (PolicyReport, error) {
	p, err := authz.ReadPolicy(policyFile, isMethodOrAction)
	if err != nil {
		return PolicyReport{}, err
	}
	var web *WebConfig
	if webConfigFile != "" {
		w, err := authz.ReadWebConfig(webConfigFile)
		if err != nil {
			return PolicyReport{}, fmt.Errorf("web config: %w", err)
		}
		web = &w
	}
	return PolicyReport{p.ReadOnly(), p.Grants(), p.Warnings(web)}, nil
}
