package server

import (
	"signet/store"
)

type eventList struct {
	Events []event `json:"events"`
	Next   uint64  `json:"next"` // the after of what comes later, also when nothing came yet
}

func (s *Server) adminListEvents(c *call) (reply, error) {
	q, err := readEventQuery(c)
	if err != nil {
		return reply{}, err
	}
	events, err := s.store.Events(c.Context(), q)
	if err != nil {
		return reply{}, err
	}
	next := q.After
	if len(events) > 0 {
		next = events[len(events)-1].Seq
	}
	return reply{body: eventList{append([]event{}, events...), next}}, nil
}

func readEventQuery(c *call) (q store.EventQuery, err error) {
	values, err := readQuery(c, "after", "type", "client_id", "sub", "limit", "newest")
	if err != nil {
		return q, err
	}
	q.ClientID, q.Subject = values["client_id"], values["sub"]
	q.Types = store.RelatedEventTypes(values["type"])
	switch {
	case values["type"] != "" && q.Types == nil:
		return q, adminInvalid("there is no event type %q; `signet audit list --types` lists them", values["type"])
	case q.ClientID != "" && !validClientID(q.ClientID):
		return q, adminInvalid("client_id must be 1 to 128 letters, digits, - . _ ~")
	case q.Subject != "" && !validClientID(q.Subject):
		return q, adminInvalid("sub must be a user's (%s…) or a client_id", userPrefix)
	}
	if q.After, err = values.number("after"); err != nil {
		return q, err
	}
	if q.Limit, err = values.limit(); err != nil {
		return q, err
	}
	q.Newest, err = values.flag("newest")
	return q, err
}
