package admin_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"signet/server/servertest"
)

func TestUserLife(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	const secret, other = "correct donkey battery staple", "a quite different long phrase"
	made := admin.CallJSON(t, "POST", "/v1/users", `{"username":"Grace","password":"`+secret+`","claims":{"roles":["admiral"],"n":1.50,"none":null}}`).Wants(201, "")
	sub := made.Str("sub")
	if !strings.HasPrefix(sub, "usr_") || made.Str("username") != "grace" || made.JSON["has_password"] != true || !strings.Contains(made.Raw, `"claims":{"n":1.50,"roles":["admiral"]}`) {
		t.Errorf("create: got %s", made.Raw)
	}
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"GRACE"}`).Wants(409, "exists")
	tokens := s.PasswordLogin(t, "grace", secret).Wants(200, "")

	for _, name := range []string{"grace", "GRACE", url.PathEscape("Ｇrace"), sub} {
		if a := admin.CallJSON(t, "GET", "/v1/users/"+name, "").Wants(200, ""); a.Raw != made.Raw {
			t.Errorf("show %s: got %s, want %s", name, a.Raw, made.Raw)
		}
	}
	merged := admin.CallJSON(t, "PATCH", "/v1/users/grace", `{"claims":{"n":null,"x":{"y":[]}}}`).Wants(200, "")
	if !strings.Contains(merged.Raw, `"claims":{"roles":["admiral"],"x":{"y":[]}}`) {
		t.Errorf("update: got %s", merged.Raw)
	}

	admin.CallJSON(t, "PUT", "/v1/users/grace/password", `{"password":"`+other+`"}`).Wants(204, "")
	s.PasswordLogin(t, "grace", secret).Wants(400, "invalid_grant")
	s.Refresh(t, tokens.Str("refresh_token")).Wants(400, "invalid_grant")
	if s.Active(t, tokens.Str("access_token")) {
		t.Error("an access token outlived the password")
	}
	tokens = s.PasswordLogin(t, "grace", other).Wants(200, "")

	for range 2 {
		if a := admin.CallJSON(t, "POST", "/v1/users/"+sub+"/disable", "").Wants(200, ""); a.JSON["disabled"] != true {
			t.Errorf("disable: got %s", a.Raw)
		}
	}
	s.PasswordLogin(t, "grace", other).Wants(400, "invalid_grant")
	for range 2 {
		if a := admin.CallJSON(t, "POST", "/v1/users/grace/enable", "").Wants(200, ""); a.JSON["disabled"] != false {
			t.Errorf("enable: got %s", a.Raw)
		}
	}
	s.Refresh(t, tokens.Str("refresh_token")).Wants(400, "invalid_grant")
	s.PasswordLogin(t, "grace", other).Wants(200, "")

	admin.CallJSON(t, "DELETE", "/v1/users/grace", "").Wants(204, "")
	s.PasswordLogin(t, "grace", other).Wants(400, "invalid_grant")
	for _, verb := range [][3]string{{"GET"}, {"DELETE"}, {"PATCH", "", "{}"}, {"PUT", "/password", `{"password":"x"}`}, {"POST", "/disable"}, {"POST", "/enable"},
		{"GET", "/sessions"}, {"DELETE", "/sessions"}, {"DELETE", "/sessions/x"}} {
		for _, name := range []string{"grace", sub} {
			admin.CallJSON(t, verb[0], "/v1/users/"+name+verb[1], verb[2]).Wants(404, "not_found")
		}
	}
	again := admin.CallJSON(t, "POST", "/v1/users", `{"username":"grace"}`).Wants(201, "")
	if again.Str("sub") == sub {
		t.Error("the name was used again and so was the sub")
	}
	for _, kind := range []string{"user.create", "user.update", "user.set_password", "user.disable", "user.enable", "user.delete"} {
		if e := s.AwaitEvent(t, kind); e.Actor != "socket" || !strings.HasPrefix(e.Subject, "usr_") || strings.Contains(e.Detail["claims"], "admiral") {
			t.Errorf("audit: got %+v", e)
		}
	}
	if log := s.Log.String(); strings.Contains(log, secret) || strings.Contains(log, other) || strings.Contains(log, "$argon2") {
		t.Error("the log has a password or a hash")
	}
}

func TestUserWithoutAPassword(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	if a := admin.CallJSON(t, "POST", "/v1/users", `{"username":"bob"}`).Wants(201, ""); a.JSON["has_password"] != false || !strings.Contains(a.Raw, `"claims":{}`) {
		t.Errorf("create: got %s", a.Raw)
	}
	s.PasswordLogin(t, "bob", "correct donkey battery staple").Wants(400, "invalid_grant")
	admin.CallJSON(t, "PUT", "/v1/users/bob/password", `{"password":"correct donkey battery staple"}`).Wants(204, "")
	s.PasswordLogin(t, "bob", "correct donkey battery staple").Wants(200, "")
}

func TestUserNamesInPaths(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	for _, name := range []string{"..", ".", "a/b", "a%b", "a?b", "a:b", "a#b", "ann@mail.example", "日本"} {
		quoted, _ := json.Marshal(name)
		made := admin.CallJSON(t, "POST", "/v1/users", `{"username":`+string(quoted)+`}`).Wants(201, "")
		if a := admin.CallJSON(t, "GET", "/v1/users/"+url.PathEscape(name), "").Wants(200, ""); a.Str("sub") != made.Str("sub") {
			t.Errorf("%s: got %s, want %s", name, a.Raw, made.Raw)
		}
	}
}

func TestUserValidation(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	big := strings.Repeat("x", 8<<10)
	for _, c := range []struct{ name, body, message string }{
		{"no name", `{}`, "username"},
		{"name with a space", `{"username":"a b"}`, "username"},
		{"name with a line break", `{"username":"a\nb"}`, "username"},
		{"long name", `{"username":"` + big[:321] + `"}`, "username"},
		{"name like a sub", `{"username":"usr_x"}`, "usr_"},
		{"empty password", `{"username":"bob","password":""}`, "too short"},
		{"short password", `{"username":"bob","password":"Tr0ub4dor&3"}`, "too short"},
		{"long password", `{"username":"bob","password":"` + big + `"}`, "too long"},
		{"common password", `{"username":"bob","password":"passwordpassword"}`, "guess"},
		{"password with the name", `{"username":"bobsmithson","password":"bobsmithsonbobsmithson"}`, "password"},
		{"hash as a member", `{"username":"bob","password_hash":"x"}`, "password_hash"},
		{"reserved claim", `{"username":"bob","claims":{"sub":"x"}}`, "meaning of its own"},
		{"the username's claim", `{"username":"bob","claims":{"preferred_username":"x"}}`, "meaning of its own"},
		{"claim without a name", `{"username":"bob","claims":{"":"x"}}`, "1 to 64"},
		{"claim with a long name", `{"username":"bob","claims":{"` + big[:65] + `":"x"}}`, "1 to 64"},
		{"claims no object", `{"username":"bob","claims":[]}`, "claims"},
		{"large claims", `{"username":"bob","claims":{"x":"` + big + `"}}`, "8 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			admin.CallJSON(t, "POST", "/v1/users", c.body).Wants(400, "invalid").WantsMessage(t, c.message)
		})
	}
	admin.CallJSON(t, "GET", "/v1/users/bob", "").Wants(404, "not_found")

	admin.CallJSON(t, "PATCH", "/v1/users/ada", `{"claims":{"a":"`+big[:5000]+`"}}`).Wants(200, "")
	admin.CallJSON(t, "PATCH", "/v1/users/ada", `{"claims":{"b":"`+big[:5000]+`"}}`).Wants(400, "invalid").WantsMessage(t, "8 KiB")
	admin.CallJSON(t, "PATCH", "/v1/users/ada", `{"claims":{"iss":"x"}}`).Wants(400, "invalid")
	admin.CallJSON(t, "PATCH", "/v1/users/ada", `{"username":"eve"}`).Wants(400, "invalid")
	admin.CallJSON(t, "PUT", "/v1/users/ada/password", `{"password":"short"}`).Wants(400, "invalid").WantsMessage(t, "too short")
	admin.CallJSON(t, "PUT", "/v1/users/ada/password", `{}`).Wants(400, "invalid")
}

func TestListUsers(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	for _, name := range []string{"bob", "carol", "dan"} {
		admin.CallJSON(t, "POST", "/v1/users", `{"username":"`+name+`"}`).Wants(201, "")
	}
	var got []string
	for next, pages := "", 0; pages == 0 || next != ""; pages++ {
		var page struct {
			Users []struct{ Username string }
			Next  string
		}
		a := admin.CallJSON(t, "GET", "/v1/users?limit=2&after="+next, "").Wants(200, "")
		if err := json.Unmarshal([]byte(a.Raw), &page); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(a.Raw, "$argon2") {
			t.Error("a hash is in the list")
		}
		for _, u := range page.Users {
			got = append(got, u.Username)
		}
		next = page.Next
	}
	if names := strings.Join(got, " "); names != "ada bob carol dan" {
		t.Errorf("pages: got %q", names)
	}
	if a := admin.CallJSON(t, "GET", "/v1/users?after=zzz", "").Wants(200, ""); a.Raw != `{"users":[],"next":""}`+"\n" {
		t.Errorf("behind the end: got %s", a.Raw)
	}
}
