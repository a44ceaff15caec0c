package admin

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/go-kit/log/level"
)

// Reload reads policy, users and host names anew, and opens the audit log anew. If they
// are not valid all stays as it was. If the audit log cannot be written they are in
// force, and nothing is done until it can: one that takes rights away must not be lost.
func (s *Server) Reload() error { return s.reloadFor(caller{User: "(signal)"}) }

// reloadFor reloads for somebody, which stands in the audit log.
func (s *Server) reloadFor(c caller) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.files = s.o.stamps() // what is wrong now is told once, not again and again
	p, w, err := s.o.configuration()
	if err == nil {
		s.policy.Store(p)
		s.authenticator.Store(newAuthenticator(w))
	}
	line := auditLine{Time: s.o.Now().UTC(), Event: auditReload, User: c.String(), Remote: c.Remote, Action: "reload"}
	if err != nil {
		line.Error = err.Error()
	}
	unwritten := errors.Join(s.audit.reopen(), s.audit.note(line))
	if err != nil {
		level.Error(s.o.Logger).Log("msg", "the admin endpoint goes on with its old configuration", "err", errors.Join(err, unwritten))
		return err
	}
	if unwritten != nil {
		level.Error(s.o.Logger).Log("msg", "the admin endpoint has read its configuration and does nothing, since its audit log cannot be written", "err", unwritten)
		return &unauditedError{unwritten}
	}
	level.Info(s.o.Logger).Log("msg", "the admin endpoint has read its configuration", "by", c, "policy", p.file, "rules", len(p.rules))
	return nil
}

// unauditedError is that of an audit log that cannot be written.
type unauditedError struct{ error }

// stamps tells versions of the files of the configuration apart.
func (o Options) stamps() (of [2]stamp) {
	for i, file := range []string{o.PolicyFile, o.WebConfigFile} {
		if info, err := os.Stat(file); err == nil {
			of[i] = stamp{info.ModTime().UnixNano(), info.Size()}
		}
	}
	return of
}

// stamp is a version of a file.
type stamp struct{ changed, size int64 }

// heed reloads if a file of the configuration has changed: the toolkit heeds a changed
// password at once, and nobody should have to ask for the emergency stop.
func (s *Server) heed() {
	s.reloading.Lock()
	changed := s.o.stamps() != s.files
	s.reloading.Unlock()
	if changed {
		_ = s.reloadFor(caller{User: "(changed file)"}) // it logs
	}
}

// watchFiles heeds changed files until ctx ends: nothing else may hold that up.
func (s *Server) watchFiles(ctx context.Context) {
	often := time.NewTicker(s.o.WatchInterval)
	defer often.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-often.C:
			s.heed()
		}
	}
}
