package input

import (
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"signet/server/edge"
)

const (
	defaultPage = 100
	maxPage     = 1000

	maxValue = 320 // bytes of a parameter: no username is longer
)

// Query holds the URL's parameters: each is known and appears once.
type Query map[string]string

// ReadQuery reads the parameters of the URL, which must be known ones.
func ReadQuery(r *edge.Request, known ...string) (Query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Invalid("the query is not correctly percent-encoded")
	}
	q := make(Query, len(values))
	for name, all := range values {
		switch {
		case !slices.Contains(known, name):
			return nil, Invalid("there is no query parameter %q here", name)
		case len(all) > 1:
			return nil, Invalid("the query parameter %s is given more than once", name)
		case all[0] == "" && name != "after" && name != "limit": // a variable of a script that is not set would select all records
			return nil, Invalid("the query parameter %s is empty; leave it out", name)
		case !utf8.ValidString(all[0]) || len(all[0]) > maxValue:
			return nil, Invalid("the query parameter %s is not UTF-8 of at most %d bytes", name, maxValue)
		}
		q[name] = all[0]
	}
	return q, nil
}

// Limit returns how many records a page has: the parameter limit, or 100.
func (q Query) Limit() (int, error) {
	if q["limit"] == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(q["limit"])
	if err != nil || n < 1 || n > maxPage {
		return 0, Invalid("limit must be a number from 1 to %d", maxPage)
	}
	return n, nil
}

// Number returns a number; one that is missing is 0.
func (q Query) Number(name string) (uint64, error) {
	if q[name] == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(q[name], 10, 64)
	if err != nil {
		return 0, Invalid("%s must be a number", name)
	}
	return n, nil
}

// Flag returns whether a parameter is true; one that is missing is false.
func (q Query) Flag(name string) (bool, error) {
	switch q[name] {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, Invalid("%s must be true or false", name)
}

// Page cuts a list that was read with one record more than the limit. next is the name of the page's last record if
// there is another page.
func Page[T any](all []T, limit int, name func(T) string) (page []T, next string) {
	if len(all) <= limit {
		return all, ""
	}
	return all[:limit], name(all[limit-1])
}
