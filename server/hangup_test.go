package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// leaver is a store whose caller hangs up at the moment when a consuming step begins.
type leaver struct {
	store.Store
	leave func()
}

func (l *leaver) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	l.leave()
	return l.Store.Rotate(ctx, r)
}

func (l *leaver) RevokeSession(ctx context.Context, user store.UserID, id store.SessionID) (bool, error) {
	l.leave()
	return l.Store.RevokeSession(ctx, user, id)
}

func (l *leaver) UpdateUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	l.leave()
	return l.Store.UpdateUser(ctx, id, change)
}

func (l *leaver) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, name string) (store.Admission, store.Credential, error) {
	l.leave()
	return l.Store.BeginLogin(ctx, now, a, name)
}

// leaving sends a request whose caller has hung up before the store's step, and returns the answer
// that the caller does not read.
func (l *leaver) leaving(t *testing.T, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	r = r.WithContext(ctx)
	l.leave = hangUp
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	l.leave = func() {}
	if ctx.Err() == nil {
		t.Fatal("the caller did not hang up before the step")
	}
	return w
}

func postForm(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(servertest.Web, servertest.WebSecret)
	return r
}

// A change that has begun is finished and recorded, whether or not its caller waits for the answer.
func TestHangingUpHidesNothing(t *testing.T) {
	t.Parallel()
	l := &leaver{leave: func() {}}
	s := servertest.New(t, func(cfg *server.Config) { l.Store, cfg.Store = cfg.Store, l })
	admin := s.Admin()
	for _, row := range []struct {
		name, event string
		do          func() int
	}{
		{"refresh token used again", "refresh_reuse", func() int {
			first := s.Login(t).Str("refresh_token")
			s.Refresh(t, first).Wants(http.StatusOK, "")
			s.Clock.Add(time.Minute)
			return l.leaving(t, s, postForm("/token", "grant_type=refresh_token&refresh_token="+first)).Code
		}},
		{"revocation", "revoke", func() int {
			token := s.Login(t).Str("refresh_token")
			return l.leaving(t, s, postForm("/revoke", "token="+token)).Code
		}},
		{"disabled user", "user.disable", func() int {
			return l.leaving(t, admin, httptest.NewRequest(http.MethodPost, "/v1/users/"+servertest.User+"/disable", nil)).Code
		}},
	} {
		s.Log.Drain()
		if status := row.do(); status >= http.StatusInternalServerError {
			t.Errorf("%s: got %d, want the outcome of the step", row.name, status)
		}
		lines := s.Log.String()
		if !logged(lines, "audit", "type", row.event) {
			t.Errorf("%s: got no event %s", row.name, row.event)
		}
		if strings.Contains(lines, `"level":"ERROR"`) {
			t.Errorf("%s: a caller who left is logged as an error:\n%s", row.name, lines)
		}
	}
}

// A caller who left while its login waited to be hashed is no failure of the server's.
func TestHangUpInTheQueueIsNoError(t *testing.T) {
	t.Parallel()
	l := &leaver{leave: func() {}}
	s := servertest.New(t, func(cfg *server.Config) { l.Store, cfg.Store = cfg.Store, l })
	l.leaving(t, s, postForm("/token", "grant_type=password&username=ada&password=canary"))
	lines := s.Log.String()
	if !logged(lines, "token", "outcome", "hung_up") || strings.Contains(lines, `"level":"ERROR"`) {
		t.Errorf("got\n%s\nwant the outcome hung_up, and nothing at ERROR", lines)
	}
}

// logged reports whether a line has this message and this value.
func logged(lines, msg, name, value string) bool {
	for line := range strings.Lines(lines) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == msg && fields[name] == value {
			return true
		}
	}
	return false
}
