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
			admin.CallJSON(t, "POST", "/v1/clients/web/disable", "").Wants(http.StatusOK, "")
		},
		"disabled and enabled here": func(t *testing.T, s, admin *servertest.Server) {
			admin.CallJSON(t, "POST", "/v1/clients/web/disable", "").Wants(http.StatusOK, "")
			admin.CallJSON(t, "POST", "/v1/clients/web/enable", "").Wants(http.StatusOK, "")
		},
		"all signed out here": func(t *testing.T, s, admin *servertest.Server) {
			admin.CallJSON(t, "DELETE", "/v1/sessions", "").Wants(http.StatusOK, "")
		},
		"disabled elsewhere": func(t *testing.T, s, admin *servertest.Server) { disable(t, s) },
		"made anew elsewhere": func(t *testing.T, s, admin *servertest.Server) {
			c, err := s.Store.Client(t.Context(), servertest.Web)
			noError(t, err)
			noError(t, s.Store.DeleteClient(t.Context(), c.ID, nil))
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
				s, admin := servertest.NewAdmin(t, func(cfg *server.Config) { in.Store, cfg.Store = cfg.Store, in })
				token := s.Login(t).Str("refresh_token")
				in.before = func(at string) {
					if at == step {
						in.before = func(string) {}
						change(t, s, admin)
					}
				}
				a := s.Form(t, "/token", "grant_type=password", "username="+servertest.User, "password="+servertest.Password).Web()
				if step == "refresh" {
					a = s.Refresh(t, token)
				}
				if got := a.Do(); got.Status == http.StatusOK {
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
				s.Refresh(t, token).Wants(http.StatusBadRequest, "invalid_grant")
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
			a := admin.CallJSON(t, "DELETE", "/v1/users/ada/sessions", "").Wants(http.StatusOK, "")
			if n, _ := a.JSON["revoked"].(float64); n != 1 {
				t.Errorf("revoked: got %v, want 1", a.Raw)
			}
		},
		"disabled": func(t *testing.T, admin *servertest.Server) {
			admin.CallJSON(t, "POST", "/v1/users/ada/disable", "").Wants(http.StatusOK, "")
			admin.CallJSON(t, "POST", "/v1/users/ada/enable", "").Wants(http.StatusOK, "")
		},
		"password changed": func(t *testing.T, admin *servertest.Server) {
			admin.CallJSON(t, "PUT", "/v1/users/ada/password", `{"password":"`+servertest.Password+`"}`).Wants(http.StatusNoContent, "")
		},
		"everybody": func(t *testing.T, admin *servertest.Server) {
			admin.CallJSON(t, "DELETE", "/v1/sessions", "").Wants(http.StatusOK, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, admin := servertest.NewAdmin(t, nil)
			before := s.Login(t)
			s.Clock.Add(-50 * time.Second)
			end(t, admin)
			s.Clock.Add(50 * time.Second)
			s.Refresh(t, before.Str("refresh_token")).Wants(http.StatusBadRequest, "invalid_grant")
			if s.Active(t, before.Str("access_token")) {
				t.Error("the access token from before is live")
			}
			s.Clock.Add(-time.Minute) // a clock that was ahead is set right
			after := s.Login(t)
			if !s.Active(t, after.Str("access_token")) {
				t.Error("a fresh access token is dead")
			}
			s.Refresh(t, after.Str("refresh_token")).Wants(http.StatusOK, "")
		})
	}
}

// TestClientTokensOfTheSameSecond die with everybody's sessions, and those that come after live.
func TestClientTokensOfTheSameSecond(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	own := func() string {
		return s.Form(t, "/token", "grant_type=client_credentials").Web().Wants(http.StatusOK, "").Str("access_token")
	}
	before := own()
	admin.CallJSON(t, "DELETE", "/v1/sessions", "").Wants(http.StatusOK, "")
	if s.Active(t, before) {
		t.Error("a client's token from before is live")
	}
	if !s.Active(t, own()) {
		t.Error("a client's token from after is dead")
	}
}

// TestLateRefresh is a phone that has lost an answer and slept, and a thief who has the token that it never got.
func TestLateRefresh(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Late = 24 * time.Hour })
	token := s.Login(t).Str("refresh_token")
	lost := s.Refresh(t, token).Wants(http.StatusOK, "").Str("refresh_token")
	s.Move(t, 3*time.Hour)
	again := s.Refresh(t, token).Wants(http.StatusOK, "").Str("refresh_token")
	if again == lost {
		t.Error("a late refresh got the same successor")
	}
	late := s.AwaitEvent(t, store.EventRefreshLate)
	if late.Outcome != store.OutcomeOK || late.Detail["presented_generation"] != "0" || late.Detail["stored_generation"] != "1" {
		t.Errorf("the event: got %+v", late)
	}
	s.Move(t, time.Minute)
	s.Refresh(t, lost).Wants(http.StatusBadRequest, "invalid_grant")
	reuse := s.AwaitEvent(t, store.EventRefreshReuse)
	for name, want := range map[string]string{"presented_generation": "1", "stored_generation": "2", "session_age_seconds": "10860",
		"since_rotation_seconds": "60", "successor_used": "true", "last_address": "127.0.0.1"} {
		if reuse.Detail[name] != want {
			t.Errorf("%s of the reuse: got %q, want %q", name, reuse.Detail[name], want)
		}
	}
	s.Refresh(t, again).Wants(http.StatusBadRequest, "invalid_grant")
}

// TestTooLateRefresh: without refresh.late, or after it, it is reuse.
func TestTooLateRefresh(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"off": 0, "over": time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := servertest.New(t, func(cfg *server.Config) { cfg.Late = late })
			token := s.Login(t).Str("refresh_token")
			s.Refresh(t, token).Wants(http.StatusOK, "")
			s.Move(t, late+time.Minute)
			s.Refresh(t, token).Wants(http.StatusBadRequest, "invalid_grant")
			if reuse := s.AwaitEvent(t, store.EventRefreshReuse); reuse.Detail["successor_used"] != "false" {
				t.Errorf("got %+v, want a successor that nobody has used", reuse.Detail)
			}
		})
	}
}
