package server_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// claimLookalikes are names that readers who ignore case take for a registered claim.
var claimLookalikes = []string{"SCOPE", "Scope", "Auth_Time", "\u017fub", "SUB", "Client_ID", "ex\u0050", "J\u0054I", "\u017fid", "to\u212aen_type", "Preferred_Username", "USERNAME", "Active"}

// A user's claim must not shadow a registered one for any reader, nor keep our own tokens from being read.
func TestClaimsByAnotherSpelling(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	for _, name := range claimLookalikes {
		value, _ := json.Marshal(map[string]any{name: "x"})
		admin.CallJSON(t, "PATCH", "/v1/users/ada", `{"claims":`+string(value)+`}`).Wants(400, "invalid").WantsMessage(t, "a meaning of its own")
		named, _ := json.Marshal([]string{name})
		if name != "Preferred_Username" {
			admin.CallJSON(t, "PATCH", "/v1/clients/web", `{"claims":`+string(named)+`}`).Wants(400, "invalid").WantsMessage(t, "a meaning of its own")
		}
	}
	// Records from before have them.
	claims := map[string]json.RawMessage{"roles": json.RawMessage(`["x"]`), "Kid": json.RawMessage(`"mine"`)}
	for _, name := range claimLookalikes {
		claims[name] = json.RawMessage(`"forged"`)
	}
	if _, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { u.Claims = claims; return nil }); err != nil {
		t.Fatal(err)
	}
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Claims = append([]string{"roles", "Kid"}, claimLookalikes...) })
	token := s.Login(t, "scope=profile").Str("access_token")
	_, issued := servertest.DecodeJWT(t, token)
	info := s.Userinfo(t, token).Wants(200, "")
	for _, name := range claimLookalikes {
		if issued[name] != nil || info.JSON[name] != nil {
			t.Errorf("%q was given out", name)
		}
	}
	if issued["Kid"] != "mine" || issued["roles"] == nil || issued["scope"] != "profile" {
		t.Errorf("got claims %v", issued)
	}
	a := s.Introspect(t, token)
	if a.JSON["active"] != true || a.Str("scope") != "profile" || a.Str("sub") != s.UserID.String() {
		t.Errorf("introspection: got %s", a.Raw)
	}
	// An operator can clear them away.
	for _, name := range claimLookalikes {
		value, _ := json.Marshal(map[string]any{name: nil})
		admin.CallJSON(t, "PATCH", "/v1/users/ada", `{"claims":`+string(value)+`}`).Wants(200, "")
	}
}

// Tokens with such claims are out there, signed by versions that gave them out: each is read by exact name,
// and can be revoked.
func TestOurTokensStayReadable(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	now := s.Clock.Now()
	session := s.Login(t)
	_, real := servertest.DecodeJWT(t, session.Str("access_token"))
	for i, more := range []string{`"SCOPE":"admin"`, `"Auth_Time":"text"`, `"\u017fub":7`, `"EXP":1`, `"Kid":{}`, `"AUD":{"x":1}`, `"a":1,"a":2`, `"x":"\ud800"`} {
		jti := "jti-" + strconv.Itoa(i)
		payload := json.RawMessage(`{` + more + `,"iss":"` + s.URL + `","sub":"` + s.UserID.String() + `","aud":"x","client_id":"web","scope":"profile","iat":` + seconds(now) +
			`,"nbf":` + seconds(now) + `,"exp":` + seconds(now.Add(time.Minute)) + `,"jti":"` + jti + `","sid":"` + real["sid"].(string) + `"}`)
		token, _, err := s.Keys.Sign(t.Context(), "", "at+jwt", payload)
		if err != nil {
			t.Fatal(err)
		}
		if a := s.Introspect(t, token); a.JSON["active"] != true || a.Str("scope") != "profile" || a.Str("sub") != s.UserID.String() {
			t.Errorf("%s: got %s", more, a.Raw)
		}
		s.Form(t, "/revoke", "token="+token).Web().Wants(200, "")
		if a := s.Introspect(t, token); a.JSON["active"] != false {
			t.Errorf("%s: after the revocation got %s", more, a.Raw)
		}
	}
}

// What was signed here and cannot be read is inactive, loudly, and its revocation is no false success.
func TestUnreadableTokens(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Registry = prometheus.NewRegistry() })
	sign := func(payload string) string {
		token, _, err := s.Keys.Sign(t.Context(), "", "at+jwt", json.RawMessage(payload))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	exp := seconds(s.Clock.Now().Add(time.Minute))
	partly := sign(`{"iss":"` + s.URL + `","sub":"web","aud":"x","client_id":"web","scope":7,"exp":` + exp + `,"jti":"partly"}`)
	hardly := sign(`{"iss":"` + s.URL + `","sub":"web","aud":"x","client_id":7,"exp":"` + exp + `","jti":"hardly"}`)
	for _, token := range []string{partly, hardly} {
		s.Log.Drain()
		if a := s.Introspect(t, token); a.JSON["active"] != false || len(a.JSON) != 1 {
			t.Errorf("introspection: got %s", a.Raw)
		}
		s.Userinfo(t, token).Wants(401, "invalid_token")
		if log := s.Log.Drain(); !strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, token) {
			t.Errorf("the log has no error: %s", log)
		}
	}
	s.Form(t, "/revoke", "token="+partly).Web().Wants(200, "")
	if state, err := s.Store.TokenState(t.Context(), store.TokenRef{JTI: "partly"}); err != nil || !state.Revoked {
		t.Errorf("the token whose jti can be read: got %+v, %v, want it revoked", state, err)
	}
	if a := s.Form(t, "/revoke", "token="+hardly).Web().Wants(503, "temporarily_unavailable"); a.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if families, err := s.Config.Registry.Gather(); err == nil {
		for _, f := range families {
			if f.GetName() == "signet_unreadable_tokens_total" && f.GetMetric()[0].GetCounter().GetValue() >= 4 {
				return
			}
		}
	}
	t.Error("the metric does not count them")
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
