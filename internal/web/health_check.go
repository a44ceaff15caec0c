package web

import (
	"fmt"
	"net/http"
	"time"
)

// checkReplica handles GET /replica/{vm_id}: 200 if this host has a replica of the VM that is being replicated to, and
// whose lag is at most the query parameter max_lag, if given.
func (s *server) checkReplica(w http.ResponseWriter, r *http.Request) {
	s.check(w, r, func(_ *vm, x *relationship) string {
		if x.Verdict.Severity == severityCritical || x.Verdict.blocks {
			return x.Verdict.Reason
		}
		return ""
	})
}

// checkReady handles GET /ready-for-failover/{vm_id}: 200 if a failover of the VM to this host can be expected to
// succeed. What is lost then is the lag, which the query parameter max_lag limits.
func (s *server) checkReady(w http.ResponseWriter, r *http.Request) {
	s.check(w, r, func(v *vm, x *relationship) string {
		switch {
		case x.Verdict.blocks:
			return x.Verdict.Reason
		case v.Points != nil && *v.Points == 0 && x.ConfiguredPoints != nil && *x.ConfiguredPoints > 0:
			return "No recovery points"
		case v.Running != nil && *v.Running:
			return "The VM runs on this host"
		case v.TestReplica:
			return "A test failover has not been cleaned up"
		}
		return ""
	})
}

// check responds to a health check: 200, or 503 with the reason that problem returns for the replica of a VM.
func (s *server) check(w http.ResponseWriter, r *http.Request, problem func(*vm, *relationship) string) {
	maxLag := time.Duration(0)
	if text := r.URL.Query().Get("max_lag"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			http.Error(w, "max_lag: not a duration above zero, such as 15m", http.StatusBadRequest)
			return
		}
		maxLag = d
	}
	h := s.host(r.Context())
	v := h.find(r.PathValue("vm_id"))
	if v == nil {
		http.Error(w, "The host has no such VM, or has not been read.", http.StatusNotFound)
		return
	}
	reason := ""
	switch x := v.Receiver(); {
	case x == nil:
		reason = "This host has no replica of the VM"
	case h.Read.IsZero() || h.Time.Sub(h.Read) > s.options.MaxAge:
		reason = "The last response of the host is too old"
	case problem(v, x) != "":
		reason = problem(v, x)
	case maxLag > 0 && (x.Lag == nil || *x.Lag > maxLag):
		reason = "Lag exceeds max_lag"
	}
	if reason != "" {
		http.Error(w, reason+".", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "OK.")
}
