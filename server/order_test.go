package server_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// interrupted runs something in the middle of a step in the store.
type interrupted struct {
	store.Store
	before func(step string)
}

func (i *interrupted) FinishLogin(ctx context.Context, now time.Time, r store.Receipt, s store.Session, b store.SessionLimits) (store.Login, error) {
	i.before("login")
	return i.Store.FinishLogin(ctx, now, r, s, b)
}

func (i *interrupted) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	i.before("refresh")
	return i.Store.Rotate(ctx, r)
}

// TestClientChangesDuringARequest: a client that is disabled, deleted or made anew while a login or a refresh
// is under way gets nothing, and its session is not there when the client is enabled again. The change is made
// through this server, or through another one that shares the store.
func TestClientChangesDuringARequest(t *testing.T) {
	t.Parallel()
	disable := func(t *testing.T, s *servertest.Server) {
		_, err := s.Store.UpdateClient(t.Context(), servertest.Web, func(c *store.Client) error { c.Disabled = true; c.EndSessions(); return nil })
		noError(t, err)
	}
	changes := map[string]func(t *testing.T, s, admin *servertest.Server){
		"disabled here": func(t *testing.T, s, admin *servertest.Server) {
			adminCall(t, admin, "POST", "/v1/clients/web/disable", "").wants(http.StatusOK, "")
		},
		"disabled and enabled here": func(t *testing.T, s, admin *servertest.Server) {
			adminCall(t, admin, "POST", "/v1/clients/web/disable", "").wants(http.StatusOK, "")
			adminCall(t, admin, "POST", "/v1/clients/web/enable", "").wants(http.StatusOK, "")
		},
		"all signed out here": func(t *testing.T, s, admin *servertest.Server) {
			adminCall(t, admin, "DELETE", "/v1/sessions", "").wants(http.StatusOK, "")
		},
		"disabled elsewhere": func(t *testing.T, s, admin *servertest.Server) { disable(t, s) },
		"made anew elsewhere": func(t *testing.T, s, admin *servertest.Server) {
			c, err := s.Store.Client(t.Context(), servertest.Web)
			noError(t, err)
			noError(t, s.Store.DeleteClient(t.Context(), c.ID))
			noError(t, s.Store.CreateClient(t.Context(), c))
		},
	}
	for name, change := range changes {
		for _, step := range []string{"login", "refresh"} {
			if step == "refresh" && (name == "disabled elsewhere" || name == "made anew elsewhere") {
				continue // this server cannot have heard of it yet; the session is dead all the same, see below
			}
			t.Run(name+" during a "+step, func(t *testing.T) {
				in := &interrupted{before: func(string) {}}
				s, admin := newAdmin(t, func(cfg *server.Config) { in.Store, cfg.Store = cfg.Store, in })
				token := login(t, s).str("refresh_token")
				in.before = func(at string) {
					if at == step {
						in.before = func(string) {}
						change(t, s, admin)
					}
				}
				a := form(t, s, "/token", "grant_type=password", "username="+servertest.User, "password="+servertest.Password).web()
				if step == "refresh" {
					a = refresh(t, s, token)
				}
				if got := a.do(); got.Status == http.StatusOK {
					t.Errorf("got tokens: %s", got.Raw)
				}
				s.SetClient(t, servertest.Web, func(c *store.Client) { c.Disabled = false })
				sessions, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
				noError(t, err)
				client, err := s.Store.Client(t.Context(), servertest.Web)
				noError(t, err)
				for _, session := range sessions {
					if session.ClientEpoch == client.Epoch {
						t.Errorf("a session lives: %+v", session)
					}
				}
				refresh(t, s, token).wants(http.StatusBadRequest, "invalid_grant")
			})
		}
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSignOutNeedsNoClock: the server's clock is an hour behind that of the session, and then again ahead.
func TestSignOutNeedsNoClock(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, admin *servertest.Server){
		"sessions ended": func(t *testing.T, admin *servertest.Server) {
			a := adminCall(t, admin, "DELETE", "/v1/users/ada/sessions", "").wants(http.StatusOK, "")
			if n, _ := a.JSON["revoked"].(float64); n != 1 {
				t.Errorf("revoked: got %v, want 1", a.Raw)
			}
		},
		"disabled": func(t *testing.T, admin *servertest.Server) {
			adminCall(t, admin, "POST", "/v1/users/ada/disable", "").wants(http.StatusOK, "")
			adminCall(t, admin, "POST", "/v1/users/ada/enable", "").wants(http.StatusOK, "")
		},
		"password changed": func(t *testing.T, admin *servertest.Server) {
			adminCall(t, admin, "PUT", "/v1/users/ada/password", `{"password":"`+servertest.Password+`"}`).wants(http.StatusNoContent, "")
		},
		"everybody": func(t *testing.T, admin *servertest.Server) {
			adminCall(t, admin, "DELETE", "/v1/sessions", "").wants(http.StatusOK, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, admin := newAdmin(t, nil)
			before := login(t, s)
			s.Clock.Add(-50 * time.Second)
			end(t, admin)
			s.Clock.Add(50 * time.Second)
			refresh(t, s, before.str("refresh_token")).wants(http.StatusBadRequest, "invalid_grant")
			if active(t, s, before.str("access_token")) {
				t.Error("the access token from before is live")
			}
			s.Clock.Add(-time.Minute) // a clock that was ahead is set right
			after := login(t, s)
			if !active(t, s, after.str("access_token")) {
				t.Error("a fresh access token is dead")
			}
			refresh(t, s, after.str("refresh_token")).wants(http.StatusOK, "")
		})
	}
}

// TestClientTokensOfTheSameSecond die with everybody's sessions, and those that come after live.
func TestClientTokensOfTheSameSecond(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	own := func() string {
		return form(t, s, "/token", "grant_type=client_credentials").web().wants(http.StatusOK, "").str("access_token")
	}
	before := own()
	adminCall(t, admin, "DELETE", "/v1/sessions", "").wants(http.StatusOK, "")
	if active(t, s, before) {
		t.Error("a client's token from before is live")
	}
	if !active(t, s, own()) {
		t.Error("a client's token from after is dead")
	}
}

// TestLateRefresh is a phone that has lost an answer and slept, and a thief who has the token that it never got.
func TestLateRefresh(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Late = 24 * time.Hour })
	token := login(t, s).str("refresh_token")
	lost := refresh(t, s, token).wants(http.StatusOK, "").str("refresh_token")
	s.Move(t, 3*time.Hour)
	again := refresh(t, s, token).wants(http.StatusOK, "").str("refresh_token")
	if again == lost {
		t.Error("a late refresh got the same successor")
	}
	late := trail(t, s, store.EventRefreshLate)
	if late.Outcome != store.OutcomeOK || late.Detail["presented_generation"] != "0" || late.Detail["stored_generation"] != "1" {
		t.Errorf("the event: got %+v", late)
	}
	s.Move(t, time.Minute)
	refresh(t, s, lost).wants(http.StatusBadRequest, "invalid_grant")
	reuse := trail(t, s, store.EventRefreshReuse)
	for name, want := range map[string]string{"presented_generation": "1", "stored_generation": "2", "session_age_seconds": "10860",
		"since_rotation_seconds": "60", "successor_used": "true", "last_address": "127.0.0.1"} {
		if reuse.Detail[name] != want {
			t.Errorf("%s of the reuse: got %q, want %q", name, reuse.Detail[name], want)
		}
	}
	refresh(t, s, again).wants(http.StatusBadRequest, "invalid_grant")
}

// TestTooLateRefresh: without refresh.late, or after it, it is reuse.
func TestTooLateRefresh(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"off": 0, "over": time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := servertest.New(t, func(cfg *server.Config) { cfg.Late = late })
			token := login(t, s).str("refresh_token")
			refresh(t, s, token).wants(http.StatusOK, "")
			s.Move(t, late+time.Minute)
			refresh(t, s, token).wants(http.StatusBadRequest, "invalid_grant")
			if reuse := trail(t, s, store.EventRefreshReuse); reuse.Detail["successor_used"] != "false" {
				t.Errorf("got %+v, want a successor that nobody has used", reuse.Detail)
			}
		})
	}
}
