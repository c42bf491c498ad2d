package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"
	"signet/store"
)

// metric returns the value of the metric with these labels, or "".
func metric(t testing.TB, s *servertest.Server, name string) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(w.Body.String())
	if m == nil {
		return ""
	}
	return m[1]
}

func wantMetrics(t testing.TB, s *servertest.Server, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := metric(t, s, name); got != value {
			t.Errorf("%s: got %q, want %s", name, got, value)
		}
	}
}

func TestKeyMetrics(t *testing.T) {
	t.Parallel()
	s := servertest.NewFresh(t, nil)
	wantMetrics(t, s, map[string]string{
		"signet_keyring_version": "1", "signet_signing_key_age_seconds": "0",
		`signet_keys_published{alg="ES256"}`: "2", `signet_keys_published{alg="RS256"}`: "2",
		"signet_key_next_step_seconds": "2.592e+06",
	})
	s.Clock.Add(30*24*time.Hour + 90*time.Second) // and nobody looks after the keyring
	wantMetrics(t, s, map[string]string{
		"signet_signing_key_age_seconds": "90", "signet_key_next_step_seconds": "-90", "signet_keyring_staleness_seconds": "2.59209e+06",
	})
	s.Move(t, 0)
	wantMetrics(t, s, map[string]string{"signet_keyring_version": "2", "signet_key_next_step_seconds": "10", "signet_keyring_staleness_seconds": "0"})
	s.Move(t, 20*time.Second)
	wantMetrics(t, s, map[string]string{`signet_keys_published{alg="ES256"}`: "3"})
}

func TestReplicaMetrics(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	s.Move(t, 30*24*time.Hour) // to version 2
	for replica, version := range map[string]uint64{"behind": 1, "level": 2, "ahead": 3} {
		if err := s.Store.Beat(t.Context(), store.Heartbeat{Replica: replica, KeyringVersion: version, At: s.Clock.Now()}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	defer func() { stop(); <-ended }()
	for deadline := time.Now().Add(5 * time.Second); metric(t, s, "signet_replicas_live") == "0" && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	wantMetrics(t, s, map[string]string{"signet_replicas_live": "4", "signet_replicas_behind": "1"})
}

// A token of a key that is not published is counted by what is known of the key, never by its kid.
func TestUnpublishedKIDsAreCounted(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	ours := s.Login(t).Str("access_token")
	foreign := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"2024-01","typ":"JWT"}`)) + ".e30.c2ln"
	introspect := func(token string) { s.Form(t, "/introspect", "token="+token).Web().Wants(200, "") }
	for _, token := range []string{ours, foreign, foreign, "nonsense", "a.b.c", ours + "x"} {
		introspect(token)
	}
	const name = "signet_introspected_unpublished_kids_total"
	wantMetrics(t, s, map[string]string{name + `{state="unknown"}`: "2", name + `{state="removed"}`: "0", name + `{state="revoked"}`: "0", name + `{state="pending"}`: "0"})
	s.Move(t, 30*24*time.Hour)
	s.Move(t, 24*time.Hour)
	introspect(ours)
	wantMetrics(t, s, map[string]string{name + `{state="unknown"}`: "2", name + `{state="removed"}`: "1"})
}

func TestAdminKeyPlan(t *testing.T) {
	t.Parallel()
	s := servertest.NewFresh(t, nil)
	admin := s.ServeAdmin(t, s.Admin())
	var plan struct {
		Version     uint64
		From, Until time.Time
		Cut         bool
		Keys        []struct {
			Name, KID, Alg, State string
			ActivatesAt           time.Time `json:"activates_at"`
		}
		Steps []struct {
			At              time.Time
			Step, Name, Alg string
		}
	}
	read := func(query string) {
		t.Helper()
		a := admin.CallJSON(t, "GET", "/v1/keys/plan"+query, "").Wants(200, "")
		if err := json.Unmarshal([]byte(a.Raw), &plan); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(a.Raw, `"d":`) || strings.Contains(a.Raw, "private") {
			t.Errorf("something private: %s", a.Raw)
		}
	}
	read("")
	if plan.Version != 1 || plan.Cut || plan.Until.Sub(plan.From) != 365*24*time.Hour || len(plan.Keys) != 2*14 {
		t.Errorf("a year: got %d keys in %+v", len(plan.Keys), plan)
	}
	if k := plan.Keys[0]; k.KID == "" || k.Name != k.KID || k.State != "active" {
		t.Errorf("the first key: got %+v", k)
	}
	if k := plan.Keys[4]; k.KID != "" || k.Name != "A" || k.State != "" || k.ActivatesAt.Before(plan.From) {
		t.Errorf("the first key that is not made yet: got %+v", k)
	}
	if first := plan.Steps[0]; first.Step != "active" || first.At.Sub(plan.From) != 30*24*time.Hour {
		t.Errorf("the first step: got %+v", first)
	}
	plan.Keys, plan.Steps = nil, nil
	read("?for=240h")
	if len(plan.Keys) != 4 || plan.Steps == nil || len(plan.Steps) != 0 {
		t.Errorf("ten days: got %+v", plan)
	}
	for _, query := range []string{"?for=10d", "?for=-1h", "?for=0s", "?for=999999h", "?until=now"} {
		admin.CallJSON(t, "GET", "/v1/keys/plan"+query, "").Wants(400, "invalid")
	}
	if s.Keys.Version() != 1 {
		t.Error("planning wrote the keyring")
	}
}
