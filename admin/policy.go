package admin

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// policy says who may do what. What no rule allows is refused; rules do not add
// up: one rule must allow the whole of it.
type policy struct {
	file     string // "" if there is none: then everybody is a viewer
	readOnly bool   // nobody may do anything but look, whatever the rules say
	rules    []rule
}

// rule gives a role to some users, for some methods and VMs.
type rule struct {
	users, subjects []string
	role            role
	methods         []string       // of methods or verbs; nil for all
	vms             *regexp.Regexp // nil for all, and for what is about no VM
	destructive     bool
}

// policyFile is the policy as YAML.
type policyFile struct {
	// ReadOnly stops all that acts, at once and for everybody, but reading the
	// policy anew: the emergency stop.
	ReadOnly bool `yaml:"read_only"`
	Rules    []struct {
		// Users are those of basic_auth_users in the web config.
		Users []string `yaml:"users"`
		// Subjects are those of client certificates, as RFC 2253 writes them, such
		// as CN=ops,O=Contoso.
		Subjects []string `yaml:"subjects"`
		Role     string   `yaml:"role"`
		// Methods are names of methods or of actions; without any the rule is for
		// all that the role may.
		Methods []string `yaml:"methods"`
		// VMs is a regular expression that the whole of a VM's GUID or name must
		// match. Who may rename a VM may then choose what rules are for it; a GUID
		// cannot be changed.
		VMs string `yaml:"vms"`
		// Destructive allows what destroys something, which the role alone does not.
		Destructive bool `yaml:"destructive"`
	} `yaml:"rules"`
}

// readPolicy reads a policy file; "" is that there is none.
func readPolicy(file string) (*policy, error) {
	if file == "" {
		return &policy{}, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := parsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p.file = file
	return p, nil
}

func parsePolicy(text []byte) (*policy, error) {
	var f policyFile
	if err := yaml.UnmarshalStrict(text, &f); err != nil {
		return nil, err
	}
	p := &policy{readOnly: f.ReadOnly}
	var errs []error
	for i, r := range f.Rules {
		parsed := rule{users: r.Users, subjects: r.Subjects, methods: r.Methods, destructive: r.Destructive}
		var err error
		if parsed.role, err = parseRole(r.Role); err == nil {
			err = parsed.check()
		}
		if err == nil && r.VMs != "" {
			parsed.vms, err = wholly(r.VMs)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i+1, err))
		}
		p.rules = append(p.rules, parsed)
	}
	return p, errors.Join(errs...)
}

// wholly compiles an expression so that it matches the whole of a text only, in
// either case.
func wholly(expr string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(expr); err != nil { // it must be one by itself, lest it end the group
		return nil, err
	}
	return regexp.Compile(`\A(?i:` + expr + `)\z`)
}

func (r rule) check() error {
	who := slices.Concat(r.users, r.subjects)
	if len(who) == 0 {
		return errors.New("it has neither users nor subjects")
	}
	if slices.Contains(who, "") {
		return errors.New("a user or subject is empty")
	}
	if r.methods != nil && len(r.methods) == 0 {
		return errors.New("methods is empty; leave it out to mean all that the role may")
	}
	for _, name := range r.methods {
		if !knownName(name) {
			return fmt.Errorf("%q is neither a method nor an action", name)
		}
	}
	return nil
}

// knownName tells whether a method or an action has that name.
func knownName(name string) bool {
	return slices.ContainsFunc(msvm.Methods(), func(m msvm.Method) bool { return m.Name == name }) ||
		slices.ContainsFunc(verbs(), func(v verb) bool { return v.name == name }) || name == "maintenance"
}

// deed is what somebody wants to do.
type deed struct {
	needs    role
	names    []string // of the method, and of the action if it has another
	vm, name string   // GUID and name, "" if it is about the host
	destroys bool
	reload   bool // it reads the policy anew, which ends a read-only one
}

// known tells whether somebody may see anything at all.
func (p *policy) known(c caller) bool {
	return p.file == "" || slices.ContainsFunc(p.rules, func(r rule) bool { return r.names(c) })
}

// refuses tells why somebody may not do something, nil if they may.
func (p *policy) refuses(c caller, d deed) *problem {
	if p.file == "" {
		if d.needs <= viewer && !d.destroys {
			return nil
		}
		return refuse(kindForbidden, "without a policy everybody may only look; --admin.policy.file names one")
	}
	if p.readOnly && d.needs > viewer && !d.reload {
		return refuse(kindForbidden, "the policy is read_only: nobody may do anything but look")
	}
	reason := "no rule of the policy is for " + c.String()
	for _, r := range p.rules {
		switch {
		case !r.names(c):
		case !r.covers(d):
			reason = "no rule that is for you is for this VM or the host"
		case r.role < d.needs:
			reason = fmt.Sprintf("it needs the role %s", d.needs)
		case d.needs > viewer && r.methods != nil && !slices.ContainsFunc(d.names, func(n string) bool { return slices.Contains(r.methods, n) }):
			reason = "no rule that is for you lists " + strings.Join(d.names, " or ")
		case d.destroys && !r.destructive:
			reason = "it destroys something, and no rule that is for you has the switch destructive"
		default:
			return nil
		}
	}
	return refuse(kindForbidden, "%s", reason)
}

// names tells whether the rule is for a caller. One who has not proven who they are
// matches no rule.
func (r rule) names(c caller) bool {
	return c.User != "" && slices.Contains(r.users, c.User) ||
		c.Subject != "" && slices.Contains(r.subjects, c.Subject)
}

// covers tells whether the rule is for the VM.
func (r rule) covers(d deed) bool {
	if r.vms == nil {
		return true
	}
	return d.vm != "" && (r.vms.MatchString(d.vm) || d.name != "" && r.vms.MatchString(d.name))
}
