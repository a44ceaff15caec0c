package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"hyperv_replica_exporter/wmiquery"
)

// maxText is the maximum number of characters of a text of the host.
const maxText = 300

// message returns a text of the host with names replaced, on one line.
func (h *host) message(s string) string {
	if h.names != nil {
		s = h.names.Message(s)
	}
	return oneLine(s)
}

// path returns a key or an object path with names replaced, on one line.
func (h *host) path(s string) string {
	if h.names != nil {
		s = h.names.Path(s)
	}
	return oneLine(s)
}

// oneLine shortens a text. It replaces line breaks and other characters that a terminal does not show as they are.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return fmt.Sprintf("%.*s", maxText, strings.TrimSpace(s))
}

// isLate reports whether err means that there was no answer in time, or that earlier calls have not returned.
func isLate(err error) bool {
	return errors.Is(err, wmiquery.ErrTimeout) || errors.Is(err, wmiquery.ErrBusy)
}

// describe returns the text of an error of the host.
func (h *host) describe(err error) string {
	if errors.Is(err, wmiquery.ErrTimeout) {
		return fmt.Sprintf("no answer within %v", h.CallTimeout)
	}
	return h.message(err.Error())
}

// adviceFor returns what to do about an error of the host.
func adviceFor(err error) string {
	switch {
	case errors.Is(err, wmiquery.ErrTimeout):
		return "Repeat the command with a longer --wmi.call-timeout to see whether the host is slow or hangs. " +
			"If it is slow, set that timeout for the exporter; if it hangs, restart the service vmms"
	case errors.Is(err, wmiquery.ErrBusy):
		return "Earlier calls have not returned: see the rows without an answer"
	}
	if advice := wmiquery.Advice(err); advice != "" {
		return advice
	}
	return "Report it to the project with this list"
}

// rounded returns a duration with a precision that is useful to people.
func rounded(d time.Duration) time.Duration {
	if d.Abs() < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}

// plural returns a number with a noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// maxListed is the maximum number of elements of a list.
const maxListed = 5

// list returns the elements of a list, at most maxListed.
func list(elements []string) string {
	more := ""
	if n := len(elements) - maxListed; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
		elements = elements[:maxListed]
	}
	return strings.Join(elements, ", ") + more
}

// counter counts values, to list each of them once.
type counter map[string]int

// list returns the values, the most frequent first, each with its number.
func (c counter) list() string {
	values := slices.SortedFunc(maps.Keys(c), func(a, b string) int {
		return cmp.Or(cmp.Compare(c[b], c[a]), cmp.Compare(a, b))
	})
	for i, value := range values {
		values[i] = fmt.Sprintf("%s (%d)", value, c[value])
	}
	return list(values)
}
