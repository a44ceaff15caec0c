package authz

import "fmt"

// Permission is what a rule allows.
type Permission struct {
	Role string `json:"role"`
	VMs  string `json:"vms"`  // as in the policy
	Host bool   `json:"host"` // also requests about the host
	// Methods are names of methods and actions. Without Methods the rule is for everything that the role allows.
	Methods     []string `json:"methods,omitempty"`
	Destructive bool     `json:"destructive"`
}

// Grant is a permission of a caller that a policy names.
type Grant struct {
	Kind, Name string // such as user and ada
	Permission
}

// permission returns what the rule allows.
func (r rule) permission() Permission {
	return Permission{r.role.String(), r.vmsText, r.host, r.methods, r.destructive}
}

// callers returns the names of the callers that the rule is for, by kind.
func (r rule) callers() []nameList {
	return ruleFile{Users: r.users, Subjects: r.subjects, AlternativeNames: r.names}.callers()
}

// ReadOnly reports whether the policy denies everything but reading.
func (p *Policy) ReadOnly() bool { return p.readOnly }

// Permissions returns the permissions of a caller, one for each rule.
func (p *Policy) Permissions(c Principal) []Permission {
	all := []Permission{}
	for _, r := range p.rules {
		if r.matchesCaller(c) {
			all = append(all, r.permission())
		}
	}
	return all
}

// Grants returns the permissions of all callers that the policy names, in the order of the rules.
func (p *Policy) Grants() []Grant {
	var all []Grant
	for _, r := range p.rules {
		for _, list := range r.callers() {
			for _, name := range list.names {
				all = append(all, Grant{list.kind, name, r.permission()})
			}
		}
	}
	return all
}

// Warnings returns what is valid in the policy but has no effect, alone or with a web config, which can be nil.
func (p *Policy) Warnings(w *WebConfig) (all []string) {
	if len(p.rules) == 0 {
		all = append(all, "the policy has no rules, so it denies everything")
	}
	if w == nil {
		return all
	}
	for i, r := range p.rules {
		for _, list := range r.callers() {
			for _, name := range list.names {
				_, known := w.Users[name]
				switch {
				case list.field == "users" && !known:
					all = append(all, fmt.Sprintf("rule %d: user %s: not in basic_auth_users of the web config",
						i+1, quoteYAML(name)))
				case list.field != "users" && !w.VerifiesCertificates:
					all = append(all, fmt.Sprintf("rule %d: %s %s: the web config does not verify client certificates",
						i+1, list.kind, quoteYAML(name)))
				}
			}
		}
	}
	return all
}
