package doctor

import (
	"fmt"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// noReplies returns a row for a question that no reply answers.
func (h *host) noReplies() Row {
	if len(h.statistics) == 0 {
		return seen(NotChecked, "%s", h.noStatistics())
	}
	return seen(NotChecked, "the statistics of the calls do not say it: see the check statistics")
}

func answerEmbeddedInstance(h *host) Row {
	if len(h.statistics) == 0 {
		return h.noReplies()
	}
	text := "with the properties that the exporter knows"
	if h.method.NeedsText() {
		text = "the host accepts only its own text of a relationship"
	}
	return seen(Answered, "%s: %s", text, h.outcomes())
}

func answerReturnCode(h *host) Row {
	if len(h.statistics) == 0 {
		return h.noReplies()
	}
	codes := counter{}
	for _, c := range h.statistics {
		if c.err == nil {
			codes[fmt.Sprint(c.reply.Code)]++
		}
	}
	if len(codes) == 0 {
		return h.noReplies()
	}
	return seen(Answered, "%s", codes.list())
}

func answerWithoutReplication(h *host) Row {
	if h.disabled == nil {
		return seen(NotChecked, "no VM without replication")
	}
	return seen(Answered, "%s", h.outcome(*h.disabled))
}

func answerNullElements(h *host) Row {
	replies := h.replies()
	if len(replies) == 0 {
		return h.noReplies()
	}
	elements, empty := 0, 0
	for _, c := range replies {
		for _, value := range c.reply.Out {
			array, _ := value.([]string)
			for _, element := range array {
				if elements++; element == "" {
					empty++
				}
			}
		}
	}
	return seen(Answered, "%d of %d elements are null or empty", empty, elements)
}

func answerPendingSize(h *host) Row {
	for _, c := range h.replies() {
		if !c.receives {
			continue
		}
		if c.statistics.PendingReplicationSize == nil {
			return seen(Answered, "null")
		}
		return seen(Answered, "%d", *c.statistics.PendingReplicationSize)
	}
	return seen(NotChecked, "no statistics of a relationship that this host receives")
}

func answerHealthIssues(h *host) Row {
	if len(h.replies()) == 0 {
		return h.noReplies()
	}
	issues := counter{}
	for _, c := range h.replies() {
		if c.about == aboutRepeated {
			continue
		}
		for _, e := range c.issues {
			severity := "null"
			if e.PerceivedSeverity != nil {
				severity = e.PerceivedSeverity.String()
			}
			issues[fmt.Sprintf("%s %s", h.message(msvm.StringOrEmpty(e.MessageID)), severity)]++
		}
	}
	if len(issues) == 0 {
		return seen(NotChecked, "no health issues in %d replies", len(h.replies()))
	}
	return seen(Answered, "%s", issues.list())
}

func answerWindowEnd(h *host) Row {
	for _, c := range h.replies() {
		start, hasStart := msvm.Known(c.statistics.StartStatisticTime)
		end, hasEnd := msvm.Known(c.statistics.EndStatisticTime)
		if !hasStart || !hasEnd {
			continue
		}
		interval := "unknown"
		for _, s := range rowsOf[msvm.ReplicationServiceSettingData](h) {
			if s.MonitoringInterval != nil {
				interval = (time.Duration(*s.MonitoringInterval) * time.Second).String()
			}
		}
		return seen(Answered, "EndStatisticTime differs from the time of the host by %v, from StartStatisticTime by %v; "+
			"MonitoringInterval is %s", rounded(end.Sub(h.now)), rounded(end.Sub(start)), interval)
	}
	return h.noReplies()
}

func answerWindowJitter(h *host) Row {
	if len(h.statistics) == 0 {
		return h.noReplies()
	}
	// The first two calls are about the same relationship.
	first, hasFirst := msvm.Known(h.statistics[0].statistics.StartStatisticTime)
	second, hasSecond := msvm.Known(h.statistics[1].statistics.StartStatisticTime)
	if !hasFirst || !hasSecond {
		return h.noReplies()
	}
	return seen(Answered, "StartStatisticTime of two calls for one relationship differs by %v",
		second.Sub(first).Abs())
}
