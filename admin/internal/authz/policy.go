package authz

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/problem"
)

// Attributes describe a request to the policy.
type Attributes struct {
	Role     Role     // least role that the request needs
	Names    []string // of the method, and of the action if it has another name
	VM       string   // GUID, "" if the request is about the host
	VMName   string
	Destroys bool // the request destroys something
	Reload   bool // the request reloads the configuration, which can end read_only
}

// Policy decides which requests of which callers are allowed. It denies a request that no rule allows. Rules do not
// add up: a single rule must allow the whole request.
type Policy struct {
	file     string // "" without a policy
	readOnly bool   // deny everything but reading, whatever the rules say
	rules    []rule
}

// rule gives a role to some callers, for some methods and VMs.
type rule struct {
	everyone        bool // the rule is for every caller
	users, subjects []string
	names           AlternativeNames
	role            Role
	methods         []string // names of methods or actions; nil for all
	vmsText         string   // of the policy
	vms             *regexp.Regexp
	host            bool
	destructive     bool
}

// noPolicy returns the policy without a file: every caller is a viewer.
func noPolicy() *Policy {
	viewer, _ := ruleFile{VMs: allVMs}.parseVMs()
	return &Policy{rules: []rule{{everyone: true, role: RoleViewer, vms: viewer, vmsText: allVMs, host: true}}}
}

// File returns the name of the policy file, "" without one.
func (p *Policy) File() string { return p.file }

// RuleCount returns the number of rules in the file.
func (p *Policy) RuleCount() int {
	return len(slices.DeleteFunc(slices.Clone(p.rules), func(r rule) bool { return r.everyone }))
}

// Role returns the highest role of the rules for the caller, RoleNone if no rule is for the caller.
func (p *Policy) Role(c Principal) Role {
	highest := RoleNone
	for _, r := range p.rules {
		if r.matchesCaller(c) {
			highest = max(highest, r.role)
		}
	}
	return highest
}

// Authorize returns nil if the policy allows a request, otherwise the reason why not.
func (p *Policy) Authorize(c Principal, a Attributes) *problem.Problem {
	if p.readOnly && a.Role > RoleViewer && !a.Reload {
		return problem.New(problem.Forbidden, "the policy is read_only")
	}
	reason := "no rule of the policy is for " + c.String()
	for _, r := range p.rules {
		switch {
		case !r.matchesCaller(c):
		case a.VM == "" && !r.host:
			reason = "no rule for you has host: true"
		case a.VM != "" && !r.matchesVM(a):
			reason = "no rule for you includes this VM"
		case r.role < a.Role:
			reason = fmt.Sprintf("requires the role %s", a.Role)
		case a.Role > RoleViewer && !r.matchesMethod(a):
			reason = "no rule for you lists " + strings.Join(a.Names, " or ")
		case a.Destroys && !r.destructive:
			reason = "destructive action, and no rule for you has destructive: true"
		default:
			return nil
		}
	}
	if p.file == "" {
		reason = "no policy is configured, so all callers are viewers; set --admin.policy.file"
	}
	return problem.New(problem.Forbidden, "%s", reason)
}

// matchesCaller reports whether the rule is for the caller.
func (r rule) matchesCaller(c Principal) bool {
	return r.everyone || c.User != "" && slices.Contains(r.users, c.User) ||
		c.Subject != "" && slices.Contains(r.subjects, c.Subject) || r.names.intersects(c.AlternativeNames)
}

// matchesMethod reports whether the rule is for the method or action.
func (r rule) matchesMethod(a Attributes) bool {
	return r.methods == nil ||
		slices.ContainsFunc(a.Names, func(name string) bool { return slices.Contains(r.methods, name) })
}

// matchesVM reports whether the rule is for the VM of a request.
func (r rule) matchesVM(a Attributes) bool {
	return r.vms.MatchString(a.VM) || a.VMName != "" && r.vms.MatchString(a.VMName)
}
