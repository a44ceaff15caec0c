package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// Reload reads the policy and the users again, and reopens the audit log. If the configuration is not valid, the old
// one stays in effect. If the audit log cannot be written, the new configuration takes effect nevertheless, because it
// can revoke permissions; no action is executed until the log can be written again.
func (s *Server) Reload() error { return s.reloadBy(authz.Principal{User: "(signal)"}) }

// reloadBy reloads on behalf of a caller, which the audit log names.
func (s *Server) reloadBy(c authz.Principal) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.fileVersions = fileVersions(s.options) // also if the files are not valid: each version is reported once
	p, w, err := readConfiguration(s.options)
	if err == nil {
		s.use(p, w)
	}
	record := audit.Record{
		Time: s.options.Now().UTC(), Event: audit.Reload, User: c.String(), Remote: c.Remote, Action: "reload",
	}
	if err != nil {
		record.Error = err.Error()
	}
	auditErr := errors.Join(s.audit.Reopen(), s.audit.WriteOrKeep(record))
	if err != nil {
		level.Error(s.options.Logger).Log(
			"msg", "cannot reload configuration, the old one stays in effect", "err", errors.Join(err, auditErr))
		return err
	}
	if auditErr != nil {
		level.Error(s.options.Logger).Log(
			"msg", "configuration reloaded, but actions are rejected until the audit log can be written", "err", auditErr)
		return &auditError{auditErr}
	}
	level.Info(s.options.Logger).Log("msg", "configuration reloaded", "by", c, "policy", p.File(), "rules", p.RuleCount())
	return nil
}

// use makes a configuration take effect.
func (s *Server) use(p *authz.Policy, w WebConfig) {
	s.policy.Store(p)
	s.authenticator.Store(authz.NewAuthenticator(w))
	for _, warning := range p.Warnings(&w) {
		level.Warn(s.options.Logger).Log("msg", "a part of the policy has no effect", "reason", warning)
	}
}

// auditError is the error of a reload that could not be written to the audit log.
type auditError struct{ error }

// fileVersion identifies the content of a file. It is zero for a file that cannot be read.
type fileVersion [sha256.Size]byte

// fileVersions returns the versions of the configuration files.
func fileVersions(o Options) (versions [2]fileVersion) {
	for i, file := range []string{o.PolicyFile, o.WebConfigFile} {
		if text, err := os.ReadFile(file); err == nil {
			versions[i] = sha256.Sum256(text)
		}
	}
	return versions
}

// reloadIfChanged reloads if a configuration file has changed. The exporter toolkit also uses a changed password
// immediately. An emergency stop must not need a request.
func (s *Server) reloadIfChanged() {
	s.reloading.Lock()
	changed := fileVersions(s.options) != s.fileVersions
	s.reloading.Unlock()
	if changed {
		_ = s.reloadBy(authz.Principal{User: "(changed file)"}) // logs its error
	}
}

// watchFiles reloads changed configuration files until ctx is done. It runs in a goroutine of its own so that nothing
// delays an emergency stop.
func (s *Server) watchFiles(ctx context.Context) {
	ticker := time.NewTicker(s.options.WatchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.reloadIfChanged()
		}
	}
}

// reloadResult is the response of POST /-/reload.
type reloadResult struct {
	Reloaded bool `json:"reloaded"`
	Rules    int  `json:"rules"`
}

// reload handles POST /-/reload.
func (s *Server) reload(r *http.Request) (problem.Response, *problem.Problem) {
	c := principalOf(r)
	a := authz.Attributes{Role: authz.RoleOwner, Names: []string{"reload"}, Reload: true}
	if p := s.authorize(r, a); p != nil {
		return problem.Response{}, s.auditRefusal(c, "reload", p)
	}
	if _, p := operation.ReadJSON(r, &emptyRequest{}); p != nil {
		return problem.Response{}, p
	}
	switch err := s.reloadBy(c); {
	case errors.As(err, new(*auditError)):
		return problem.Response{}, s.auditUnavailable(err)
	case err != nil:
		return problem.Response{}, problem.New(problem.InvalidParameter, "the old configuration stays in effect: %v", err)
	}
	return problem.JSON(http.StatusOK, reloadResult{true, s.policy.Load().RuleCount()}), nil
}
