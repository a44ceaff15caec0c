package authz

import (
	"fmt"
	"strings"
)

// Role is a set of permissions. Each role includes the roles before it.
type Role int

// The roles.
const (
	RoleNone     Role = iota
	RoleViewer        // reads
	RoleOperator      // pauses, resumes, resynchronizes, tests failovers
	RoleFailover      // fails over and fails back
	RoleOwner         // creates, configures and removes relationships; calls methods with any parameters
)

func roleNames() []string { return []string{"none", "viewer", "operator", "failover", "owner"} }

func (r Role) String() string { return roleNames()[r] }

// ParseRole parses the name of a role. RoleNone has no name in a policy.
func ParseRole(s string) (Role, error) {
	names := roleNames()[1:]
	for i, name := range names {
		if s == name {
			return Role(i + 1), nil
		}
	}
	return RoleNone, fmt.Errorf("role %q: not one of %s", s, strings.Join(names, ", "))
}
