package admin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"
)

func TestClientLife(t *testing.T) {
	t.Parallel()
	s := servertest.NewRS256(t, nil)
	admin := s.ServeAdmin(t, s.Admin())
	made := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"billing","grants":["client_credentials","password","refresh_token"],
		"scopes":["jobs","read"],"audiences":["https://api.example","billing"],"origins":["https://app.example"],"claims":["roles","preferred_username"],
		"introspect":true,"alg":"RS256","access_token_ttl":"90s"}`).Wants(201, "")
	secret := made.Str("client_secret")
	if !strings.HasPrefix(secret, "signet_cs_") || made.Str("access_token_ttl") != "1m30s" || fmt.Sprint(made.JSON["auth_methods"]) != "[client_secret_basic client_secret_post]" {
		t.Errorf("create: got %s", made.Raw)
	}
	s.ClientToken(t, "billing", secret).Wants(200, "")
	if stored, _ := s.Store.Client(t.Context(), "billing"); strings.Contains(fmt.Sprintf("%+v", stored), secret) {
		t.Error("the store has the secret itself")
	}

	admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"billing","grants":["client_credentials"]}`).Wants(409, "exists")
	shown := admin.CallJSON(t, "GET", "/v1/clients/billing", "").Wants(200, "")
	for _, name := range []string{"client_id", "public", "auth_methods", "grants", "scopes", "audiences", "origins", "claims",
		"introspect", "alg", "access_token_ttl", "disabled", "secrets", "created_at", "updated_at"} {
		if _, ok := shown.JSON[name]; !ok {
			t.Errorf("show: %s is missing", name)
		}
	}
	if strings.Contains(shown.Raw, "signet_cs_") || strings.Contains(shown.Raw, "hash") {
		t.Errorf("show: got %s, want no secret", shown.Raw)
	}

	s.Clock.Add(time.Minute)
	changed := admin.CallJSON(t, "PATCH", "/v1/clients/billing", `{"scopes":["jobs"],"access_token_ttl":""}`).Wants(200, "")
	if fmt.Sprint(changed.JSON["scopes"]) != "[jobs]" || changed.Str("access_token_ttl") != "" || changed.Str("alg") != "RS256" ||
		fmt.Sprint(changed.JSON["audiences"]) != "[https://api.example billing]" || changed.Str("updated_at") == changed.Str("created_at") {
		t.Errorf("update: got %s", changed.Raw)
	}
	if got := s.ClientToken(t, "billing", secret).Wants(200, "").Str("scope"); got != "jobs" {
		t.Errorf("the next token: got scope %q, want the new one at once", got)
	}
	admin.CallJSON(t, "PATCH", "/v1/clients/billing", `{"public":true}`).Wants(400, "invalid")
	admin.CallJSON(t, "PATCH", "/v1/clients/billing", `{"client_id":"other-name"}`).Wants(400, "invalid")

	admin.CallJSON(t, "DELETE", "/v1/clients/billing", "").Wants(204, "")
	s.ClientToken(t, "billing", secret).Wants(401, "invalid_client")
	for _, verb := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"PATCH", ""}, {"POST", "/secret"}, {"POST", "/disable"}, {"POST", "/enable"}} {
		admin.CallJSON(t, verb[0], "/v1/clients/billing"+verb[1], "").Wants(404, "not_found")
	}
	for _, kind := range []string{"client.create", "client.update", "client.delete"} {
		if e := s.AwaitEvent(t, kind); e.ClientID != "billing" || e.Actor != "socket" || e.RequestID == "" {
			t.Errorf("audit: got %+v", e)
		}
	}
	if got := s.AwaitEvent(t, "client.update").Detail["members"]; got != "access_token_ttl scopes" {
		t.Errorf("audit of the update: got members %q", got)
	}
	if strings.Contains(s.Log.String(), secret) {
		t.Error("the log has the secret")
	}
}

func TestClientSecrets(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	first := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"job","grants":["client_credentials"]}`).Wants(201, "").Str("client_secret")
	rotate := func(body string) string {
		t.Helper()
		a := admin.CallJSON(t, "POST", "/v1/clients/job/secret", body).Wants(200, "")
		if a.Str("client_id") != "job" || len(a.JSON) != 2 {
			t.Errorf("rotate: got %s", a.Raw)
		}
		return a.Str("client_secret")
	}
	works := func(want int, secrets ...string) {
		t.Helper()
		for i, secret := range secrets {
			if got := s.ClientToken(t, "job", secret).Do().Status; got != want {
				t.Errorf("secret %d of %d: got %d, want %d", i+1, len(secrets), got, want)
			}
		}
	}
	second := rotate("")
	works(200, first, second)
	third := rotate(`{"revoke_old":false}`)
	works(200, second, third)
	works(401, first)
	if stored, err := s.Store.Client(t.Context(), "job"); err != nil || len(stored.Secrets) != 2 {
		t.Errorf("live secrets: got %d %v, want 2", len(stored.Secrets), err)
	}
	fourth := rotate(`{"revoke_old":true}`)
	works(200, fourth)
	works(401, first, second, third)
	shown := admin.CallJSON(t, "GET", "/v1/clients/job", "").Wants(200, "")
	if got := len(shown.JSON["secrets"].([]any)); got != 1 {
		t.Errorf("secrets shown: got %d, want 1", got)
	}
	admin.CallJSON(t, "POST", "/v1/clients/"+servertest.SPA+"/secret", "").Wants(400, "invalid").WantsMessage(t, "public client")
	s.AwaitEvent(t, "client.rotate_secret")
}

// TestRotateAgain: a rotation whose answer was lost is repeated, and the secret that the app has goes on working.
func TestRotateAgain(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	inUse := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"job","grants":["client_credentials"]}`).Wants(201, "").Str("client_secret")
	works := func(want int, secret string) {
		t.Helper()
		s.ClientToken(t, "job", secret).Wants(want, map[int]string{401: "invalid_client"}[want])
	}
	works(200, inUse)
	var lost []string
	for range 3 {
		lost = append(lost, admin.CallJSON(t, "POST", "/v1/clients/job/secret", "").Wants(200, "").Str("client_secret"))
		works(200, inUse)
	}
	works(401, lost[0])
	works(401, lost[1])
	if e := s.AwaitEvent(t, "client.rotate_secret"); len(e.Detail["dropped"]) != 8 {
		t.Errorf("audit: got %+v, want the fingerprint of what was dropped", e)
	}
	works(200, lost[2]) // deployed at last: the next rotation drops the one before it
	next := admin.CallJSON(t, "POST", "/v1/clients/job/secret", "").Wants(200, "").Str("client_secret")
	works(401, inUse)
	works(200, lost[2])
	works(200, next)
}

func TestRevokeSecret(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	fingerprint := func(secret string) string {
		sum := sha256.Sum256([]byte(secret))
		return hex.EncodeToString(sum[:4])
	}
	for _, c := range []struct {
		name  string
		which func(old, fresh string) string
		left  int // 0: the old one, 1: the new one
	}{
		{"oldest", func(_, _ string) string { return "oldest" }, 1},
		{"newest", func(_, _ string) string { return "newest" }, 0},
		{"the old by its fingerprint", func(old, _ string) string { return fingerprint(old) }, 1},
		{"the new by its fingerprint", func(_, fresh string) string { return fingerprint(fresh) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"job","grants":["client_credentials"]}`).Wants(201, "").Str("client_secret")
			defer admin.CallJSON(t, "DELETE", "/v1/clients/job", "").Do()
			admin.CallJSON(t, "DELETE", "/v1/clients/job/secrets/oldest", "").Wants(409, "refused").WantsMessage(t, "only secret")
			fresh := admin.CallJSON(t, "POST", "/v1/clients/job/secret", "").Wants(200, "").Str("client_secret")
			shown := admin.CallJSON(t, "GET", "/v1/clients/job", "").Wants(200, "").Raw
			if !strings.Contains(shown, fingerprint(old)) || !strings.Contains(shown, fingerprint(fresh)) || !strings.Contains(shown, `"unused":true`) {
				t.Errorf("show: got %s", shown)
			}
			admin.CallJSON(t, "DELETE", "/v1/clients/job/secrets/00000000", "").Wants(404, "not_found")
			which := c.which(old, fresh)
			admin.CallJSON(t, "DELETE", "/v1/clients/job/secrets/"+which, "").Wants(200, "")
			for i, secret := range []string{old, fresh} {
				if got := s.ClientToken(t, "job", secret).Do().Status; (got == 200) != (i == c.left) {
					t.Errorf("secret %d: got %d", i, got)
				}
			}
			if e := s.AwaitEvent(t, "client.revoke_secret"); e.ClientID != "job" || len(e.Detail["dropped"]) != 8 {
				t.Errorf("audit: got %+v", e)
			}
		})
	}
	admin.CallJSON(t, "DELETE", "/v1/clients/"+servertest.SPA+"/secrets/oldest", "").Wants(404, "not_found")
	admin.CallJSON(t, "DELETE", "/v1/clients/nobody/secrets/oldest", "").Wants(404, "not_found")
}

func TestDisabledClientStartsAnew(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	old := s.Login(t)
	for range 2 { // asked twice, it is the same
		if a := admin.CallJSON(t, "POST", "/v1/clients/web/disable", "").Wants(200, ""); a.JSON["disabled"] != true {
			t.Errorf("disable: got %s", a.Raw)
		}
	}
	s.Refresh(t, old.Str("refresh_token")).Wants(401, "invalid_client")
	for range 2 {
		if a := admin.CallJSON(t, "POST", "/v1/clients/web/enable", "").Wants(200, ""); a.JSON["disabled"] != false {
			t.Errorf("enable: got %s", a.Raw)
		}
	}
	s.Refresh(t, old.Str("refresh_token")).Wants(400, "invalid_grant")
	if s.Active(t, old.Str("access_token")) {
		t.Error("an access token from before came back to life")
	}
	s.Refresh(t, s.Login(t).Str("refresh_token")).Wants(200, "")
	s.AwaitEvent(t, "client.disable")
	s.AwaitEvent(t, "client.enable")
}

func TestClientOfADeletedIDInheritsNothing(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	old := s.Form(t, "/token", "grant_type=password", "username="+servertest.User, "password="+servertest.Password, "client_id=spa").Wants(200, "")
	admin.CallJSON(t, "DELETE", "/v1/clients/spa", "").Wants(204, "")
	s.Clock.Add(time.Second)
	a := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"spa","public":true,"grants":["password","refresh_token"],"scopes":["profile","orders:read","orders:write"]}`).Wants(201, "")
	if _, has := a.JSON["client_secret"]; has || fmt.Sprint(a.JSON["auth_methods"]) != "[none]" {
		t.Errorf("a public client: got %s", a.Raw)
	}
	s.Form(t, "/token", "grant_type=refresh_token", "client_id=spa", "refresh_token="+old.Str("refresh_token")).Wants(400, "invalid_grant")
}

func TestListClients(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	var ids []string
	for next := ""; ; {
		a := admin.CallJSON(t, "GET", "/v1/clients?limit=3&after="+next, "").Wants(200, "")
		var page struct {
			Clients []struct {
				ID string `json:"client_id"`
			}
			Next string
		}
		if err := json.Unmarshal([]byte(a.Raw), &page); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Clients {
			ids = append(ids, c.ID)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if got := strings.Join(ids, " "); got != "other service spa web" {
		t.Errorf("pages: got %q", got)
	}
	if a := admin.CallJSON(t, "GET", "/v1/clients?after=zzz", "").Wants(200, ""); a.Raw != `{"clients":[],"next":""}`+"\n" {
		t.Errorf("behind the end: got %s", a.Raw)
	}
	if a := admin.CallJSON(t, "GET", "/v1/clients?limit=4", "").Wants(200, ""); a.Str("next") != "" {
		t.Errorf("a page that just fits: got next %q", a.Str("next"))
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "after=%00", "after='%20or%201=1", "sort=id", "limit=1&limit=2", "after=%zz", "after=%ff"} {
		admin.CallJSON(t, http.MethodGet, "/v1/clients?"+query, "").Wants(400, "invalid")
	}
}

func TestPinnedToAnAlgorithm(t *testing.T) {
	t.Parallel()
	s := servertest.NewRS256(t, nil)
	admin := s.ServeAdmin(t, s.Admin())
	admin.CallJSON(t, "PATCH", "/v1/clients/web", `{"alg":"RS256"}`).Wants(200, "")
	token := s.Login(t).Str("access_token")
	if header, _ := servertest.DecodeJWT(t, token); header["alg"] != "RS256" {
		t.Errorf("alg: got %v, want RS256", header["alg"])
	}
}
