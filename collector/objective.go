package collector

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Objective is a rule of the flag --rpo.objective: the recovery point objective,
// which is the maximum acceptable lag, of the VMs that the rule matches.
type Objective struct {
	vm  *regexp.Regexp // nil matches every VM
	lag time.Duration
}

// ParseObjective parses a rule, either DURATION or VM-REGEXP=DURATION. The
// duration has the format of Prometheus, such as 15m or 1h30m. The expression must
// match the whole name or the whole GUID of a VM, the GUID in either case.
func ParseObjective(s string) (Objective, error) {
	var o Objective
	value := s
	if i := strings.LastIndex(s, "="); i >= 0 { // the expression may contain "=", the duration cannot
		if _, err := regexp.Compile(s[:i]); err != nil { // an expression such as "a)|(b" would end the group below
			return o, fmt.Errorf("%q: %w", s, err)
		}
		vm, err := regexp.Compile(`\A(?:` + s[:i] + `)\z`)
		if err != nil {
			return o, fmt.Errorf("%q: %w", s, err)
		}
		o.vm, value = vm, s[i+1:]
	}
	d, err := model.ParseDuration(value)
	if err != nil || d <= 0 {
		return o, fmt.Errorf("%q: %q is not a positive duration such as 15m or 1h30m", s, value)
	}
	o.lag = time.Duration(d)
	return o, nil
}

// objectiveFor returns the objective of a VM, and whether it was set: that of the
// first rule that matches, else twice the replication interval. The objective is 0
// if no rule matches and the interval is not known, that is 0.
func objectiveFor(
	objectives []Objective, name, id string, interval time.Duration,
) (objective time.Duration, isSet bool) {
	for _, o := range objectives {
		if o.vm == nil || o.vm.MatchString(name) || o.vm.MatchString(id) || o.vm.MatchString(strings.ToLower(id)) {
			return o.lag, true
		}
	}
	return 2 * interval, false
}

// ObjectiveOf returns the recovery point objective of a VM from its name, its GUID and its replication interval: that
// of the first rule that matches, else twice the interval. It is 0 if it is not known.
func ObjectiveOf(objectives []Objective, name, id string, interval time.Duration) time.Duration {
	objective, _ := objectiveFor(objectives, name, id, interval)
	return objective
}
