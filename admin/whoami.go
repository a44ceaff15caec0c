package admin

import (
	"net/http"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
)

// callerView is the caller as the API shows it.
type callerView struct {
	Name    string `json:"name"` // as in the audit log
	User    string `json:"user,omitempty"`
	Subject string `json:"subject,omitempty"` // of the client certificate
	authz.AlternativeNames
	// ReadOnly means that the policy denies everything but reading at present.
	ReadOnly    bool               `json:"read_only"`
	Permissions []authz.Permission `json:"permissions"` // one of them must allow the whole request
}

// whoAmI handles GET /api/v1/whoami.
func (s *Server) whoAmI(r *http.Request) (problem.Response, *problem.Problem) {
	c, p := principalOf(r), s.policy.Load()
	return problem.JSON(http.StatusOK, callerView{
		c.String(), c.User, c.Subject, c.AlternativeNames, p.ReadOnly(), p.Permissions(c),
	}), nil
}
