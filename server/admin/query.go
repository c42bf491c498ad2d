package admin

import (
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	defaultPage = 100
	maxPage     = 1000

	maxValue = 320 // bytes of a parameter: no username is longer
)

// query holds the URL's parameters: each is known and appears once.
type query map[string]string

func readQuery(r *Request, known ...string) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("the query is not correctly percent-encoded")
	}
	q := make(query, len(values))
	for name, all := range values {
		switch {
		case !slices.Contains(known, name):
			return nil, invalid("there is no query parameter %q here", name)
		case len(all) > 1:
			return nil, invalid("the query parameter %s is given more than once", name)
		case !utf8.ValidString(all[0]) || len(all[0]) > maxValue:
			return nil, invalid("the query parameter %s is not UTF-8 of at most %d bytes", name, maxValue)
		}
		q[name] = all[0]
	}
	return q, nil
}

func (q query) limit() (int, error) {
	if q["limit"] == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(q["limit"])
	if err != nil || n < 1 || n > maxPage {
		return 0, invalid("limit must be a number from 1 to %d", maxPage)
	}
	return n, nil
}

func (q query) number(name string) (uint64, error) {
	if q[name] == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(q[name], 10, 64)
	if err != nil {
		return 0, invalid("%s must be a number", name)
	}
	return n, nil
}

func (q query) flag(name string) (bool, error) {
	switch q[name] {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid("%s must be true or false", name)
}

// pageOf cuts a list that was read with one record more than the limit. next is the name of the page's last record if
// there is another page.
func pageOf[T any](all []T, limit int, name func(T) string) (page []T, next string) {
	if len(all) <= limit {
		return all, ""
	}
	return all[:limit], name(all[limit-1])
}
