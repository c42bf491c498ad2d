package store_test

import (
	"strings"
	"testing"

	"signet/store"
)

func TestParseIDs(t *testing.T) {
	user, session, assertion := store.UserID{1, 2, 255}, store.SessionID{3, 4, 255}, store.AssertionID{5, 6, 255}
	if got, err := store.ParseUserID(user.String()); err != nil || got != user {
		t.Errorf("ParseUserID: got %v, %v, want %v", got, err, user)
	}
	if got, err := store.ParseSessionID(session.String()); err != nil || got != session {
		t.Errorf("ParseSessionID: got %v, %v, want %v", got, err, session)
	}
	if got, err := store.ParseAssertionID(assertion.String()); err != nil || got != assertion {
		t.Errorf("ParseAssertionID: got %v, %v, want %v", got, err, assertion)
	}
	u, s := user.String(), session.String()
	lastSpare := u[:len(u)-1] + "b" // another spelling of the same bytes
	for _, bad := range []string{"", "usr_", strings.ToUpper(u), u[:len(u)-1], u + "a", u + "=", u + "\n", "usr_" + u, u[4:], lastSpare} {
		if id, err := store.ParseUserID(bad); err == nil {
			t.Errorf("ParseUserID(%q): got %v, want an error", bad, id)
		}
	}
	for _, bad := range []string{"", s + "\n", s[:10] + "\r\n" + s[10:], s[:len(s)-1], s + "A", s + "==", s[:len(s)-1] + "B", strings.Repeat("+", 22)} {
		if id, err := store.ParseSessionID(bad); err == nil {
			t.Errorf("ParseSessionID(%q): got %v, want an error", bad, id)
		}
		if id, err := store.ParseAssertionID(bad); err == nil {
			t.Errorf("ParseAssertionID(%q): got %v, want an error", bad, id)
		}
	}
}

func FuzzParseUserID(f *testing.F) {
	f.Add(store.UserID{1}.String())
	f.Fuzz(func(t *testing.T, in string) {
		if id, err := store.ParseUserID(in); err == nil && id.String() != in {
			t.Errorf("%q was read, and is written %q", in, id)
		}
	})
}

func FuzzParseSessionID(f *testing.F) {
	f.Add(store.SessionID{1}.String())
	f.Fuzz(func(t *testing.T, in string) {
		if id, err := store.ParseSessionID(in); err == nil && id.String() != in {
			t.Errorf("%q was read, and is written %q", in, id)
		}
	})
}
