package accountpage

import (
	"encoding/binary"
	"time"

	"signet/server/browser"
	"signet/server/edge"
	"signet/server/page"
)

// Names of the fields of the forms.
const (
	fieldToken    = "form"
	fieldDo       = "do"
	fieldSession  = "session"
	fieldUsername = "username"
	fieldPassword = "password"
	fieldCurrent  = "current-password"
	fieldNew      = "new-password"
	fieldRepeat   = "repeat-password"
)

var fields = edge.Parameters{fieldToken: true, fieldDo: true, fieldSession: true, fieldUsername: true, fieldPassword: true,
	fieldCurrent: true, fieldNew: true, fieldRepeat: true}

// tokenLife is how long a form can be sent after it was shown.
const tokenLife = time.Hour

// hidden returns the fields of a form that is shown to a browser.
func (h *Handler) hidden(name string, in *browser.SignedIn) []page.Field {
	made := binary.BigEndian.AppendUint64(nil, uint64(h.cfg.Now().UnixMilli()))
	return []page.Field{{Name: fieldToken, Value: h.box.Seal(made, binding(name, in))}}
}

// valid reports whether a form was shown to this browser, for the same session, and not too long ago.
func (h *Handler) valid(token, name string, in *browser.SignedIn) bool {
	made, ok := h.box.Open(token, binding(name, in))
	if !ok || len(made) != 8 {
		return false
	}
	age := h.cfg.Now().Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(made))))
	return age < tokenLife && age > -tokenLife // of two replicas one clock may be behind
}

// binding is what a form belongs to. The name has a fixed length.
func binding(name string, in *browser.SignedIn) string {
	if in == nil {
		return name
	}
	return name + in.Session.ID.String()
}
