package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// WebConfig is the part of the listener's web config that the endpoint uses.
type WebConfig = authz.WebConfig

// ReadWebConfig reads a file in the format of the exporter toolkit. Without a file it returns an empty config.
func ReadWebConfig(file string) (WebConfig, error) { return authz.ReadWebConfig(file) }

// Check returns an error if the configuration is not valid, or if others can change its files. It opens no files for
// writing.
func Check(o Options) error {
	_, w, err := readConfiguration(o)
	if err != nil {
		return err
	}
	return checkFiles(o, w)
}

// readConfiguration reads the policy and the web config, and checks that they fit together.
func readConfiguration(o Options) (*authz.Policy, WebConfig, error) {
	w, err := authz.ReadWebConfig(o.WebConfigFile)
	if err != nil {
		return nil, w, fmt.Errorf("admin endpoint: web config: %w", err)
	}
	for _, a := range o.Addresses {
		if err := w.CheckAddress(a); err != nil {
			return nil, w, fmt.Errorf("admin endpoint: %w", err)
		}
	}
	p, err := authz.ReadPolicy(o.PolicyFile, isMethodOrAction)
	if err != nil {
		return nil, w, fmt.Errorf("admin endpoint: policy: %w", err)
	}
	if p.File() != "" && !w.Authenticates() {
		return nil, w, errors.New("admin endpoint: a policy requires authentication: the web config must have users, " +
			"or client certificates that are required and verified")
	}
	return p, w, nil
}

// isMethodOrAction reports whether a policy can list a name in methods.
func isMethodOrAction(name string) bool {
	if _, ok := operation.FindAction(name); ok || name == maintenanceAction {
		return true
	}
	return slices.ContainsFunc(msvm.Methods(), func(m msvm.Method) bool { return m.Name == name })
}

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
		s.policy.Store(p)
		s.authenticator.Store(authz.NewAuthenticator(w))
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

// auditError is the error of a reload that could not be written to the audit log.
type auditError struct{ error }

// fileVersion identifies a version of a file.
type fileVersion struct{ modified, size int64 }

// fileVersions returns the versions of the configuration files.
func fileVersions(o Options) (versions [2]fileVersion) {
	for i, file := range []string{o.PolicyFile, o.WebConfigFile} {
		if info, err := os.Stat(file); err == nil {
			versions[i] = fileVersion{info.ModTime().UnixNano(), info.Size()}
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
	switch err := s.reloadBy(c); {
	case errors.As(err, new(*auditError)):
		return problem.Response{}, s.auditUnavailable(err)
	case err != nil:
		return problem.Response{}, problem.New(problem.InvalidParameter, "the old configuration stays in effect: %v", err)
	}
	return problem.JSON(http.StatusOK, reloadResult{true, s.policy.Load().RuleCount()}), nil
}
