// Package authz authenticates the callers of the API and authorizes their requests.
package authz

// Principal is the authenticated caller of a request.
type Principal struct {
	User    string // name of a user with a valid password
	Subject string // subject of a verified client certificate
	Remote  string // address of the client
}

// String returns a name for logs and messages.
func (p Principal) String() string {
	switch {
	case p.User != "" && p.Subject != "":
		return p.User + " (" + p.Subject + ")"
	case p.User != "":
		return p.User
	case p.Subject != "":
		return p.Subject
	}
	return "anonymous"
}

// Attributes describe a request to the policy.
type Attributes struct {
	Role     Role     // least role that the request needs
	Names    []string // of the method, and of the action if it has another name
	VM       string   // GUID, "" if the request is about the host
	VMName   string
	Destroys bool // the request destroys something
	Reload   bool // the request reloads the configuration, which can end read_only
}
