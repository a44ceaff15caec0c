package admin

import (
	"fmt"
	"strings"
)

// role is what somebody may do at most: each may do what those before it may.
type role int

// The roles.
const (
	nobody   role = iota
	viewer        // sees
	operator      // pauses, resumes, resynchronizes, tests
	failover      // fails over and back
	owner         // sets up and removes; methods with parameters of one's own choice
)

var roleNames = []string{"nobody", "viewer", "operator", "failover", "owner"}

func (r role) String() string { return roleNames[r] }

// parseRole reads a role that can be given.
func parseRole(s string) (role, error) {
	for i, name := range roleNames[1:] {
		if s == name {
			return role(i + 1), nil
		}
	}
	return nobody, fmt.Errorf("role %q is none of %s", s, strings.Join(roleNames[1:], ", "))
}
