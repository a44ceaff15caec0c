package collector

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	healthIssue = gauge("health_issue",
		"Health issues that the host currently reports, by message ID.", perRelationship("message_id", "severity")...)
	healthIssueInfo = gauge("health_issue_info",
		"Text of a health issue and the action that the host recommends, as they were when the issue appeared, up to 500 "+
			"bytes each; always 1. Absent if the host gives no text, and with --no-collector.statistics.health-issue-text.",
		perRelationship("message_id", "message", "recommended_action")...)
)

const (
	// maxIssues is the maximum number of series for the health issues of a
	// relationship, besides that of the rest. The host chooses the message IDs, so
	// their number is not limited otherwise.
	maxIssues = 10
	// maxIssueText is the maximum length of a text in a label, in bytes.
	maxIssueText = 500
)

// issueTexts keeps the text of each health issue from the time it appears until the
// host reports it no longer. The texts contain numbers that grow, such as the time
// since the last replication; each new text would be a new series.
type issueTexts struct {
	omit bool // whether no text is exposed

	mu    sync.Mutex
	texts map[msvm.Key]map[string]issueText // by message ID
}

type issueText struct{ message, action string }

func newIssueTexts(omit bool) *issueTexts {
	return &issueTexts{omit: omit, texts: map[msvm.Key]map[string]issueText{}}
}

// update returns the text of each message ID: what it had before, and the rest from
// current. It forgets those of other message IDs of the relationship.
func (t *issueTexts) update(k msvm.Key, current map[string]issueText) map[string]issueText {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, text := range current {
		before := t.texts[k][id]
		current[id] = issueText{cmp.Or(before.message, text.message), cmp.Or(before.action, text.action)}
	}
	t.texts[k] = current
	return current
}

// prune removes the texts of the relationships for whose key obsolete returns true.
func (t *issueTexts) prune(obsolete func(msvm.Key) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.texts {
		if obsolete(k) {
			delete(t.texts, k)
		}
	}
}

// collectIssues adds the number of health issues by message ID and severity, and
// the text of each message ID. The issues beyond maxIssues are
// counted under the message ID "other", without a text, and only the first of them
// is logged.
func collectIssues(r relationship, issues []msvm.Error, texts *issueTexts, out *output) {
	type series struct{ id, severity string }
	count := map[series]float64{}
	var order []series
	current := map[string]issueText{}
	var ids []string
	for _, e := range issues {
		s := series{"unknown", "unknown"}
		if id := msvm.StringOrEmpty(e.MessageID); id != "" {
			s.id = id
		}
		if e.PerceivedSeverity != nil {
			s.severity = e.PerceivedSeverity.String()
		}
		if _, ok := count[s]; !ok && len(order) >= maxIssues {
			s = series{"other", "unknown"}
		} else if _, ok := current[s.id]; !ok {
			current[s.id] = newIssueText(e)
			ids = append(ids, s.id)
		}
		out.warn(fmt.Sprint("issue ", r.InstanceID, " ", s.id), "health issue reported",
			"vm", msvm.StringOrEmpty(r.ElementName), "vm_id", r.key.VM, "relationship", r.key.Link,
			"message_id", s.id, "severity", s.severity, "message", fmt.Sprintf("%.1000s", msvm.StringOrEmpty(e.Message)))
		if count[s]++; count[s] == 1 {
			order = append(order, s)
		}
	}
	for _, s := range order {
		out.add(healthIssue, count[s], r.labels, label("message_id", s.id), label("severity", s.severity))
	}
	if texts.omit {
		return
	}
	kept := texts.update(r.key, current)
	for _, id := range ids {
		text := kept[id]
		if text == (issueText{}) {
			continue
		}
		out.add(healthIssueInfo, 1, r.labels, label("message_id", id), label("message", text.message),
			label("recommended_action", text.action))
	}
}

// newIssueText returns the text of a health issue, which is empty if the host gives
// neither a message nor an action.
func newIssueText(e msvm.Error) issueText {
	return issueText{
		truncate(msvm.StringOrEmpty(e.Message), maxIssueText),
		truncate(strings.Join(e.RecommendedActions, " "), maxIssueText),
	}
}

// truncate returns the beginning of a text, up to n bytes, as one line of whole
// characters. A text that is longer ends with "…".
func truncate(s string, n int) string {
	const ellipsis = "…"
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) <= n {
		return s
	}
	n -= len(ellipsis)
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + ellipsis
}
