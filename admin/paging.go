package admin

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hyperv_replica_exporter/admin/internal/problem"
)

// maxListed is the maximum number of entries of a list in one response, and the default.
const maxListed = 500

// newID returns the ID of a record that is created now. IDs sort by time, so that the store can list the newest records
// without reading all.
func newID(now time.Time) string {
	return fmt.Sprintf("%012x", now.UnixMilli()) + strings.ToLower(rand.Text())
}

// page is the part of a list that a request asks for.
type page struct {
	limit  int
	before string // ID of the last entry of the previous page, "" for the first page
}

// pageFromQuery reads the page from the query of a request.
func pageFromQuery(r *http.Request) (page, *problem.Problem) {
	p := page{limit: maxListed}
	for name, values := range r.URL.Query() {
		if len(values) != 1 || name != "limit" && name != "continue" {
			return p, problem.New(problem.BadRequest, "query: only limit and continue are allowed, each once")
		}
		if name == "continue" {
			p.before = values[0]
			continue
		}
		n, err := strconv.Atoi(values[0])
		if err != nil || n < 1 || n > maxListed {
			return p, problem.New(problem.BadRequest, "limit: must be a number from 1 to %d", maxListed)
		}
		p.limit = n
	}
	return p, nil
}

// pageOf collects the entries of a page that the caller can see. list calls its argument with all entries, the newest
// first, until that returns false. next is the ID with which the next page continues, "" if there is none.
func pageOf[T any](
	p page, list func(before string, visit func(T) bool) error, visible func(T) bool, id func(T) string,
) (entries []T, next string, err error) {
	entries = []T{}
	err = list(p.before, func(v T) bool {
		switch {
		case !visible(v):
		case len(entries) == p.limit:
			next = id(entries[len(entries)-1])
			return false
		default:
			entries = append(entries, v)
		}
		return true
	})
	return entries, next, err
}

// queryParameters describes the query of a list, nil for any other route.
func queryParameters(r route) []any {
	if r.pattern == "GET "+apiReplicas {
		return filterParameters()
	}
	if r.pattern != "GET "+apiJobs && r.pattern != "GET "+apiMaintenance {
		return nil
	}
	return []any{
		jsonObject{
			"name": "limit", "in": "query", "description": "Maximum number of entries in the response.",
			"schema": jsonObject{"type": "integer", "minimum": 1, "maximum": maxListed, "default": maxListed},
		},
		jsonObject{
			"name": "continue", "in": "query", "schema": jsonObject{"type": "string"},
			"description": "The field continue of the previous response, for the entries after it.",
		},
	}
}
