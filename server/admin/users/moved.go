package users

import (
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/edge"
	"signet/store"
)

// movedPage is how many users are read at once.
const movedPage = 1000

// Moved counts the users by where their passwords are checked.
func (h *Users) Moved(r *call.Request) (edge.Response, error) {
	if _, err := input.ReadQuery(r.Request); err != nil {
		return edge.Response{}, err
	}
	var answer api.Moved
	for after := ""; ; {
		page, err := h.store.ListUsers(r.Context(), after, movedPage)
		if err != nil {
			return edge.Response{}, err
		}
		for _, u := range page {
			count(&answer, u)
			after = u.Username
		}
		if len(page) < movedPage {
			return edge.Response{Body: answer}, nil
		}
	}
}

func count(m *api.Moved, u store.User) {
	m.Users++
	switch {
	case u.Disabled && (u.Move == store.MovePending || u.Move == store.MoveStay):
		m.Disabled++
	case u.Move == store.MovePending:
		m.NotMoved++
	case u.Move == store.MoveStay:
		m.Stay++
	case u.Move == store.MoveDone:
		m.Moved++
		if at := u.MovedAt; !at.IsZero() && (m.LastMovedAt == nil || at.After(*m.LastMovedAt)) {
			m.LastMovedAt = &at
		}
	}
}

// moveName is the state of a user in the API.
func moveName(m store.Move) string {
	if m == store.MoveNone {
		return ""
	}
	return m.String()
}
