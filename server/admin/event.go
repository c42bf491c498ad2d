package admin

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"signet/server/account"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/audit"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/syntax"
	"signet/store"
)

// events reads the audit trail.
type events struct {
	store store.Store
	audit *audit.Recorder // hashes names
	now   func() time.Time
}

// list answers the events that the query selects. An empty result about an unknown user or client is an error: a
// misspelt name must not look like a user without events.
func (h *events) list(r *call.Request) (edge.Response, error) {
	values, err := input.ReadQuery(r.Request, "after", "type", "client_id", "sub", "user", "address", "since", "until", "limit", "newest")
	if err != nil {
		return edge.Response{}, err
	}
	q, err := readEventQuery(values, h.now())
	if err != nil {
		return edge.Response{}, err
	}
	var unknown error
	if name := values["user"]; name != "" {
		if q.About, unknown, err = h.person(r, name); err != nil {
			return edge.Response{}, err
		}
	}
	events, err := h.store.Events(r.Context(), q)
	if err != nil {
		return edge.Response{}, err
	}
	if len(events) == 0 && q.After == 0 {
		if err := h.checkEmpty(r, q, unknown); err != nil {
			return edge.Response{}, err
		}
	}
	next := q.After
	if len(events) > 0 {
		next = events[len(events)-1].Seq
	}
	list := api.EventList{Events: make([]api.Event, 0, len(events)), Next: next}
	for _, e := range events {
		list.Events = append(list.Events, api.Event{Seq: e.Seq, At: e.At, Type: e.Type, Outcome: e.Outcome, Actor: e.Actor, ClientID: e.ClientID, Subject: e.Subject,
			SessionID: e.SessionID, KeyID: e.KeyID, RequestID: e.RequestID, Address: e.Address, Detail: e.Detail})
	}
	return edge.Response{Body: list}, nil
}

// checkEmpty returns the error for an empty result about an unknown user or client. A deleted one may have events that
// the rest of the query leaves out: then it returns nil.
func (h *events) checkEmpty(r *call.Request, q store.EventQuery, unknown error) error {
	if unknown == nil {
		var err error
		if unknown, err = h.unknownIn(r, q); unknown == nil {
			return err
		}
	}
	others, err := h.store.Events(r.Context(), store.EventQuery{About: q.About, Subject: q.Subject, ClientID: q.ClientID, Limit: 1})
	if err != nil || len(others) > 0 {
		return err
	}
	return unknown
}

// person finds the user by any spelling of the username or by sub. unknown is the error for an empty result: nil where
// the user exists.
func (h *events) person(r *call.Request, name string) (p *store.Person, unknown, err error) {
	p = &store.Person{}
	var user store.User
	if id, notID := store.ParseUserID(name); notID == nil {
		p.Subject = name
		user, err = h.store.User(r.Context(), id)
	} else {
		p.Username = name
		if canonical, notName := password.CanonicalUsername(name); notName == nil {
			p.Username = canonical
		}
		p.NameHashes = h.audit.NameHashes(p.Username)
		if user, err = account.Find(r.Context(), h.store, name); errors.Is(err, password.ErrUsername) {
			err = store.ErrNotFound
		}
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return p, call.NotFound("there is no user " + edge.QuoteShort(name) + ", and no event about one; GET /v1/users lists the users"), nil
	case err != nil:
		return nil, nil, err
	}
	p.Subject, p.Username, p.NameHashes = user.ID.String(), user.Username, h.audit.NameHashes(user.Username)
	return p, nil, nil
}

// unknownIn returns the error where q names a sub or a client that does not exist.
func (h *events) unknownIn(r *call.Request, q store.EventQuery) (unknown, err error) {
	if q.Subject != "" {
		if id, notID := store.ParseUserID(q.Subject); notID == nil {
			_, err = h.store.User(r.Context(), id)
		} else {
			_, err = h.store.Client(r.Context(), q.Subject)
		}
		if errors.Is(err, store.ErrNotFound) {
			return call.NotFound("there is no user or client with the sub " + q.Subject + ", and no event of one; to ask by name, use user instead of sub"), nil
		}
	}
	if err == nil && q.ClientID != "" {
		if _, err = h.store.Client(r.Context(), q.ClientID); errors.Is(err, store.ErrNotFound) {
			return call.NotFound("there is no client " + q.ClientID + ", and no event of one; GET /v1/clients lists the clients"), nil
		}
	}
	return nil, err
}

func readEventQuery(values input.Query, now time.Time) (q store.EventQuery, err error) {
	q.ClientID, q.Subject = values["client_id"], values["sub"]
	q.Types = store.RelatedEventTypes(values["type"])
	switch {
	case values["type"] != "" && q.Types == nil:
		return q, input.Invalid("there is no such event type; `signet audit list --types` lists them")
	case q.ClientID != "" && !syntax.ClientID(q.ClientID):
		return q, input.Invalid("client_id must be 1 to 128 letters, digits, - . _ ~")
	case q.Subject != "" && !syntax.ClientID(q.Subject):
		return q, input.Invalid("sub must be a user's (%s…) or a client_id; to ask by name, use user", syntax.UserPrefix)
	case q.Subject != "" && values["user"] != "":
		return q, input.Invalid("give either user or sub")
	}
	if q.Address, err = readAddress(values["address"]); err != nil {
		return q, err
	}
	if q.Since, err = readMoment("since", values["since"], now); err != nil {
		return q, err
	}
	if q.Until, err = readMoment("until", values["until"], now); err != nil {
		return q, err
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return q, input.Invalid("since must be before until")
	}
	if q.After, err = values.Number("after"); err != nil {
		return q, err
	}
	if q.Limit, err = values.Limit(); err != nil {
		return q, err
	}
	q.Newest, err = values.Flag("newest")
	return q, err
}

// readAddress reads an address or a prefix. An empty text is the zero Prefix.
func readAddress(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, input.Invalid("address must be an IP address or a network such as 192.0.2.0/24 or 2001:db8::/32")
	}
	return prefix.Masked(), nil
}

// readMoment reads a time of RFC 3339, or how long ago it is, in units of time.ParseDuration or in days
// (7d). An empty text is the zero Time.
func readMoment(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 100*366 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, input.Invalid("%s must be a time such as 2026-03-04T12:00:00Z, or how long ago, such as 90m or 7d", name)
}
