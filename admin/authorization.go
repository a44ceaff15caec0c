package admin

import (
	"context"
	"net/http"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// authorizationList has the authorization entries of the host. Each has the properties that are not null, as the
// methods for entries take them.
type authorizationList struct {
	Entries []map[string]any `json:"entries"`
}

// listAuthorization handles GET /api/v1/authorization. The entries are about the host, so a caller whose rules are for
// some VMs only cannot see them.
func (s *Server) listAuthorization(r *http.Request) (problem.Response, *problem.Problem) {
	if p := s.authorize(r, authz.Attributes{Role: authz.RoleViewer}); p != nil {
		return problem.Response{}, p
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	entries, p := operation.AuthorizationEntries(ctx, s.options.Reader)
	if p != nil {
		return problem.Response{}, p
	}
	list := authorizationList{[]map[string]any{}}
	for _, e := range entries {
		list.Entries = append(list.Entries, operation.Properties(e))
	}
	return problem.JSON(http.StatusOK, list), nil
}
