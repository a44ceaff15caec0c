package collector

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Objective is a rule of --rpo.objective: how much lag the operator promises
// not to exceed for the VMs it matches.
type Objective struct {
	vm  *regexp.Regexp // nil matches every VM
	lag time.Duration
}

// ParseObjective reads DURATION or VM-REGEXP=DURATION, with a duration as
// Prometheus writes them: 15m, 1h30m. The expression must match the whole name
// or the whole GUID of a VM.
func ParseObjective(s string) (Objective, error) {
	var o Objective
	value := s
	if i := strings.LastIndex(s, "="); i >= 0 { // the expression may hold one, the duration cannot
		vm, err := regexp.Compile("^(?:" + s[:i] + ")$")
		if err != nil {
			return o, fmt.Errorf("%q: %w", s, err)
		}
		o.vm, value = vm, s[i+1:]
	}
	d, err := model.ParseDuration(value)
	if err != nil || d <= 0 {
		return o, fmt.Errorf("%q: %q is no duration above zero such as 15m or 1h30m", s, value)
	}
	o.lag = time.Duration(d)
	return o, nil
}

// objectiveFor is the first match, and without one twice the interval if that
// is known.
func objectiveFor(objectives []Objective, name, id string, interval time.Duration) (time.Duration, bool) {
	for _, o := range objectives {
		if o.vm == nil || o.vm.MatchString(name) || o.vm.MatchString(id) {
			return o.lag, true
		}
	}
	return 2 * interval, interval > 0
}
