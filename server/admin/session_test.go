package admin_test

import (
	"encoding/json"
	"testing"
	"time"

	"signet/server/servertest"
)

type sessionRecord struct {
	SID        string
	ClientID   string `json:"client_id"`
	Generation int
	StartedAt  time.Time `json:"started_at"`
	RotatedAt  time.Time `json:"rotated_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func sessionsOf(t testing.TB, admin *servertest.Server, name string) []sessionRecord {
	t.Helper()
	var got struct{ Sessions []sessionRecord }
	a := admin.CallJSON(t, "GET", "/v1/users/"+name+"/sessions", "").Wants(200, "")
	if err := json.Unmarshal([]byte(a.Raw), &got); err != nil || got.Sessions == nil {
		t.Fatalf("sessions: got %s %v", a.Raw, err)
	}
	return got.Sessions
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	if got := sessionsOf(t, admin, "ada"); len(got) != 0 {
		t.Errorf("before: got %+v", got)
	}
	start := s.Clock.Now()
	first := s.Login(t)
	s.Clock.Add(time.Minute)
	second := s.Login(t)
	s.Clock.Add(time.Minute)
	first = s.Refresh(t, first.Str("refresh_token")).Wants(200, "")
	got := sessionsOf(t, admin, "ada")
	if len(got) != 2 || got[0].ClientID != "web" || got[0].Generation != 1 || got[1].Generation != 0 || !got[0].StartedAt.Equal(start) ||
		!got[0].RotatedAt.Equal(start.Add(2*time.Minute)) || !got[0].ExpiresAt.Equal(start.Add(2*time.Minute+30*24*time.Hour)) {
		t.Fatalf("sessions: got %+v", got)
	}
	if _, claims := servertest.DecodeJWT(t, first.Str("access_token")); claims["sid"] != got[0].SID {
		t.Errorf("sid: got %s, want the token's %v", got[0].SID, claims["sid"])
	}

	admin.CallJSON(t, "DELETE", "/v1/users/ada/sessions/"+got[0].SID, "").Wants(204, "")
	admin.CallJSON(t, "DELETE", "/v1/users/ada/sessions/"+got[0].SID, "").Wants(404, "not_found")
	admin.CallJSON(t, "DELETE", "/v1/users/ada/sessions/nonsense", "").Wants(404, "not_found")
	s.Refresh(t, first.Str("refresh_token")).Wants(400, "invalid_grant")
	if s.Active(t, first.Str("access_token")) || !s.Active(t, second.Str("access_token")) {
		t.Error("one session was to end, the other to live")
	}

	s.Login(t)
	for _, want := range []float64{2, 0} {
		if a := admin.CallJSON(t, "DELETE", "/v1/users/ada/sessions", "").Wants(200, ""); a.JSON["revoked"] != want {
			t.Errorf("revoke all: got %s, want %v", a.Raw, want)
		}
	}
	s.Refresh(t, second.Str("refresh_token")).Wants(400, "invalid_grant")
	if e := s.AwaitEvent(t, "session.revoke"); e.SessionID != got[0].SID || e.Subject != s.UserID.String() {
		t.Errorf("audit: got %+v", e)
	}
	s.AwaitEvent(t, "session.revoke_all")
}

func TestSessionsShowsOnlyLiveOnes(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	s.Login(t)
	admin.CallJSON(t, "POST", "/v1/clients/web/disable", "").Wants(200, "")
	if got := sessionsOf(t, admin, "ada"); len(got) != 0 {
		t.Errorf("of a disabled client: got %+v", got)
	}
	admin.CallJSON(t, "POST", "/v1/clients/web/enable", "").Wants(200, "")
	s.Clock.Add(time.Second)
	s.Login(t)
	if got := sessionsOf(t, admin, "ada"); len(got) != 1 {
		t.Errorf("after a new login: got %+v", got)
	}
	admin.CallJSON(t, "DELETE", "/v1/clients/web", "").Wants(204, "")
	if got := sessionsOf(t, admin, "ada"); len(got) != 0 {
		t.Errorf("of a deleted client: got %+v", got)
	}
	s.Clock.Add(91 * 24 * time.Hour)
	if got := sessionsOf(t, admin, "ada"); len(got) != 0 {
		t.Errorf("after its lifetime: got %+v", got)
	}
}
