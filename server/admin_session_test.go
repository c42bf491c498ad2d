package server_test

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
	a := adminCall(t, admin, "GET", "/v1/users/"+name+"/sessions", "").wants(200, "")
	if err := json.Unmarshal([]byte(a.Raw), &got); err != nil || got.Sessions == nil {
		t.Fatalf("sessions: got %s %v", a.Raw, err)
	}
	return got.Sessions
}

func TestAdminSessions(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	if got := sessionsOf(t, admin, "ada"); len(got) != 0 {
		t.Errorf("before: got %+v", got)
	}
	start := s.Clock.Now()
	first := login(t, s)
	s.Clock.Add(time.Minute)
	second := login(t, s)
	s.Clock.Add(time.Minute)
	first = refresh(t, s, first.str("refresh_token")).wants(200, "")
	got := sessionsOf(t, admin, "ada")
	if len(got) != 2 || got[0].ClientID != "web" || got[0].Generation != 1 || got[1].Generation != 0 || !got[0].StartedAt.Equal(start) ||
		!got[0].RotatedAt.Equal(start.Add(2*time.Minute)) || !got[0].ExpiresAt.Equal(start.Add(2*time.Minute+30*24*time.Hour)) {
		t.Fatalf("sessions: got %+v", got)
	}
	if _, claims := decodeJWT(t, first.str("access_token")); claims["sid"] != got[0].SID {
		t.Errorf("sid: got %s, want the token's %v", got[0].SID, claims["sid"])
	}

	adminCall(t, admin, "DELETE", "/v1/users/ada/sessions/"+got[0].SID, "").wants(204, "")
	adminCall(t, admin, "DELETE", "/v1/users/ada/sessions/"+got[0].SID, "").wants(404, "not_found")
	adminCall(t, admin, "DELETE", "/v1/users/ada/sessions/nonsense", "").wants(404, "not_found")
	refresh(t, s, first.str("refresh_token")).wants(400, "invalid_grant")
	if active(t, s, first.str("access_token")) || !active(t, s, second.str("access_token")) {
		t.Error("one session was to end, the other to live")
	}

	login(t, s)
	for _, want := range []float64{2, 0} {
		if a := adminCall(t, admin, "DELETE", "/v1/users/ada/sessions", "").wants(200, ""); a.JSON["revoked"] != want {
			t.Errorf("revoke all: got %s, want %v", a.Raw, want)
		}
	}
	refresh(t, s, second.str("refresh_token")).wants(400, "invalid_grant")
	if e := trail(t, s, "session.revoke"); e.SessionID != got[0].SID || e.Subject != s.UserID.String() {
		t.Errorf("audit: got %+v", e)
	}
	trail(t, s, "session.revoke_all")
}

func TestAdminSessionsShowsOnlyLiveOnes(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	login(t, s)
	adminCall(t, admin, "POST", "/v1/clients/web/disable", "").wants(200, "")
	if got := sessionsOf(t, admin, "ada"); len(got) != 0 {
		t.Errorf("of a disabled client: got %+v", got)
	}
	adminCall(t, admin, "POST", "/v1/clients/web/enable", "").wants(200, "")
	s.Clock.Add(time.Second)
	login(t, s)
	if got := sessionsOf(t, admin, "ada"); len(got) != 1 {
		t.Errorf("after a new login: got %+v", got)
	}
	adminCall(t, admin, "DELETE", "/v1/clients/web", "").wants(204, "")
	if got := sessionsOf(t, admin, "ada"); len(got) != 0 {
		t.Errorf("of a deleted client: got %+v", got)
	}
	s.Clock.Add(91 * 24 * time.Hour)
	if got := sessionsOf(t, admin, "ada"); len(got) != 0 {
		t.Errorf("after its lifetime: got %+v", got)
	}
}
