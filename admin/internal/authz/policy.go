package authz

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v2"

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
	file     string // "" without a policy; then every caller is a viewer
	readOnly bool   // deny everything but reading, whatever the rules say
	rules    []rule
}

// rule gives a role to some callers, for some methods and VMs.
type rule struct {
	users, subjects []string
	role            Role
	methods         []string       // names of methods or actions; nil for all
	vms             *regexp.Regexp // nil for all VMs and for the host
	destructive     bool
}

// policyFile is the YAML of a policy.
type policyFile struct {
	// ReadOnly denies every action of every caller, except a reload of the policy. It is the emergency stop.
	ReadOnly bool `yaml:"read_only"`
	Rules    []struct {
		// Users are names in basic_auth_users of the web config.
		Users []string `yaml:"users"`
		// Subjects are subjects of client certificates in the form of RFC 2253, such as CN=ops,O=Contoso.
		Subjects []string `yaml:"subjects"`
		Role     string   `yaml:"role"`
		// Methods are names of methods or actions. Without Methods the rule is for everything that the role allows.
		Methods []string `yaml:"methods"`
		// VMs is a regular expression that must match the whole GUID or name of the VM. A caller who can rename a
		// VM can choose the rules for it by name, but cannot change a GUID.
		VMs string `yaml:"vms"`
		// Destructive allows requests that destroy something. The role alone does not.
		Destructive bool `yaml:"destructive"`
	} `yaml:"rules"`
}

// ReadPolicy reads a policy file. Without a file it returns the policy that makes every caller a viewer. The names in
// methods must be known.
func ReadPolicy(file string, known func(name string) bool) (*Policy, error) {
	if file == "" {
		return &Policy{}, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := parsePolicy(text, known)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p.file = file
	return p, nil
}

func parsePolicy(text []byte, known func(name string) bool) (*Policy, error) {
	var f policyFile
	if err := yaml.UnmarshalStrict(text, &f); err != nil {
		return nil, err
	}
	p := &Policy{readOnly: f.ReadOnly}
	var errs []error
	for i, r := range f.Rules {
		parsed := rule{users: r.Users, subjects: r.Subjects, methods: r.Methods, destructive: r.Destructive}
		var err error
		if parsed.role, err = ParseRole(r.Role); err == nil {
			err = parsed.check(known)
		}
		if err == nil && r.VMs != "" {
			parsed.vms, err = compileAnchored(r.VMs)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i+1, err))
		}
		p.rules = append(p.rules, parsed)
	}
	return p, errors.Join(errs...)
}

// compileAnchored compiles an expression that matches only a whole text, regardless of case.
func compileAnchored(expr string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(expr); err != nil { // an expression such as "a)|(b" would end the group below
		return nil, err
	}
	return regexp.Compile(`\A(?i:` + expr + `)\z`)
}

func (r rule) check(known func(name string) bool) error {
	callers := slices.Concat(r.users, r.subjects)
	if len(callers) == 0 {
		return errors.New("neither users nor subjects")
	}
	if slices.Contains(callers, "") {
		return errors.New("a user or subject is empty")
	}
	if r.methods != nil && len(r.methods) == 0 {
		return errors.New("methods is empty; leave it out to allow everything that the role allows")
	}
	for _, name := range r.methods {
		if !known(name) {
			return fmt.Errorf("methods: %q is not a method or action", name)
		}
	}
	return nil
}

// File returns the name of the policy file, "" without one.
func (p *Policy) File() string { return p.file }

// RuleCount returns the number of rules.
func (p *Policy) RuleCount() int { return len(p.rules) }

// Role returns the highest role of the rules for the caller, RoleNone if no rule is for the caller. Without a policy file
// every caller is a viewer.
func (p *Policy) Role(c Principal) Role {
	if p.file == "" {
		return RoleViewer
	}
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
	if p.file == "" {
		if a.Role <= RoleViewer && !a.Destroys {
			return nil
		}
		return problem.New(problem.Forbidden, "no policy is configured, so all callers are viewers; set --admin.policy.file")
	}
	if p.readOnly && a.Role > RoleViewer && !a.Reload {
		return problem.New(problem.Forbidden, "the policy is read_only")
	}
	reason := "no rule of the policy is for " + c.String()
	for _, r := range p.rules {
		switch {
		case !r.matchesCaller(c):
		case !r.matchesVM(a):
			reason = "no rule for you includes this VM or the host"
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
	return problem.New(problem.Forbidden, "%s", reason)
}

// matchesCaller reports whether the rule is for the caller. No rule is for a caller without a user and a subject.
func (r rule) matchesCaller(c Principal) bool {
	return c.User != "" && slices.Contains(r.users, c.User) ||
		c.Subject != "" && slices.Contains(r.subjects, c.Subject)
}

// matchesMethod reports whether the rule is for the method or action.
func (r rule) matchesMethod(a Attributes) bool {
	return r.methods == nil ||
		slices.ContainsFunc(a.Names, func(name string) bool { return slices.Contains(r.methods, name) })
}

// matchesVM reports whether the rule is for the VM, or for the host if the request is about no VM.
func (r rule) matchesVM(a Attributes) bool {
	if r.vms == nil {
		return true
	}
	return a.VM != "" && (r.vms.MatchString(a.VM) || a.VMName != "" && r.vms.MatchString(a.VMName))
}
