package server_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"signet/server"
	"signet/server/account"
	"signet/server/servertest"
	"signet/server/throttle"
	"signet/store"
)

// Names that RFC 8265 allows can be used, and are found however they are typed.
func TestUsernamesAsTheyAreTyped(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	for stored, typed := range map[string][]string{
		"1é":      {"1é", "1É ", "\t1e\u0301"},
		"007бонд": {"007БОНД", "\uff10\uff10\uff17бонд"},
		"_ñandú":  {"_ÑANDÚ", "\u00a0_ñandú\u3000"},
		"Νίκος":   {"Νίκος", "ΝΊΚΟΣ", "νίκος "},

		"eve@xn--bcher-kva.example": {"eve@bücher.example", "EVE@BÜCHER。example", " eve@XN--bcher-kva.example"},
	} {
		body, _ := json.Marshal(map[string]string{"username": stored, "password": servertest.Password + " of " + servertest.Other})
		made := admin.CallJSON(t, "POST", "/v1/users", string(body)).Wants(201, "")
		for _, name := range typed {
			a := s.Form(t, "/token", "grant_type=password", "username="+name, "password="+servertest.Password+" of "+servertest.Other).Web().Wants(200, "")
			if _, claims := servertest.DecodeJWT(t, a.Str("access_token")); claims["sub"] != made.Str("sub") {
				t.Errorf("%q: got the tokens of %v, want those of %s", name, claims["sub"], made.Str("sub"))
			}
		}
	}
	body, _ := json.Marshal(map[string]string{"username": "ΝΊΚΟΣ"})
	admin.CallJSON(t, "POST", "/v1/users", string(body)).Wants(409, "exists")
	admin.CallJSON(t, "GET", "/v1/users/%CE%9D%CE%8A%CE%9A%CE%9F%CE%A3", "").Wants(200, "")
	// White space belongs to no stored name, and the password is as it was typed.
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"bob "}`).Wants(400, "invalid")
	s.Form(t, "/token", "grant_type=password", "username=ada", "password="+servertest.Password+" ").Web().Wants(400, "invalid_grant")
	s.Form(t, "/token", "grant_type=password", "username= ", "password="+servertest.Password).Web().Wants(400, "invalid_grant")
}

// A user whom an earlier version stored without the final sigma still logs in, and stays one user.
func TestUsersStoredByAnEarlierVersion(t *testing.T) {
	t.Parallel()
	const former = "νίκοσ" // of ΝΊΚΟΣ
	s, admin := servertest.NewAdmin(t, nil)
	user, err := s.Store.User(t.Context(), s.UserID)
	if err != nil {
		t.Fatal(err)
	}
	old := store.User{ID: store.UserID{7}, Username: former, PasswordHash: user.PasswordHash}
	if err := s.Store.CreateUser(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ΝΊΚΟΣ", "νίκοσ", " ΝΊΚΟΣ "} {
		a := s.Form(t, "/token", "grant_type=password", "username="+name, "password="+servertest.Password).Web().Wants(200, "")
		if _, claims := servertest.DecodeJWT(t, a.Str("access_token")); claims["sub"] != old.ID.String() {
			t.Errorf("%q: got the tokens of %v", name, claims["sub"])
		}
	}
	s.Form(t, "/token", "grant_type=password", "username=ΝΊΚΟΣ", "password=wrong").Web().Wants(400, "invalid_grant")
	body, _ := json.Marshal(map[string]string{"username": "ΝΊΚΟΣ"})
	admin.CallJSON(t, "POST", "/v1/users", string(body)).Wants(409, "exists")
	line, _ := json.Marshal(map[string]string{"username": "ΝΊΚΟΣ"})
	if a := admin.CallJSON(t, "POST", "/v1/users:import", string(line)+"\n").Do(); a.JSON["accepted"] != 0.0 {
		t.Errorf("import: got %s", a.Raw)
	}
	admin.CallJSON(t, "GET", "/v1/users/%CE%9D%CE%8A%CE%9A%CE%9F%CE%A3", "").Wants(200, "")
}

// Two users whom an earlier version stored under two forms of one domain stay two: each logs in with the own spelling.
func TestNamesThatCollide(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	user, err := s.Store.User(t.Context(), s.UserID)
	if err != nil {
		t.Fatal(err)
	}
	subs := map[string]string{}
	for i, name := range []string{"eve@bücher.example", "eve@xn--bcher-kva.example", "max@xn--bcher-kva.example"} {
		u := store.User{ID: store.UserID{byte(i + 1)}, Username: name, PasswordHash: user.PasswordHash}
		if err := s.Store.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		subs[name] = u.ID.String()
	}
	subs["max@bücher.example"] = subs["max@xn--bcher-kva.example"]
	for name, sub := range subs {
		a := s.Form(t, "/token", "grant_type=password", "username="+name, "password="+servertest.Password).Web().Wants(200, "")
		if _, claims := servertest.DecodeJWT(t, a.Str("access_token")); claims["sub"] != sub {
			t.Errorf("%q: got the tokens of %v, want those of %s", name, claims["sub"], sub)
		}
		body, _ := json.Marshal(map[string]string{"username": name})
		admin.CallJSON(t, "POST", "/v1/users", string(body)).Wants(409, "exists")
	}
	report, err := account.CheckNames(t.Context(), s.Store)
	want := account.NameReport{Former: 2, Collisions: [][]string{{"eve@bücher.example", "eve@xn--bcher-kva.example"}}}
	if err != nil || !reflect.DeepEqual(report, want) {
		t.Errorf("CheckNames: got %+v, %v, want %+v", report, err, want)
	}
}

// A user who is renamed stays the same to apps; of several names to log in with each leads to the same user and the same count of failures.
func TestRenameAndAliases(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, func(cfg *server.Config) { cfg.Throttle = throttle.Config{PerAccount: 4} })
	login := func(name, password string) *servertest.Request {
		return s.Form(t, "/token", "grant_type=password", "username="+name, "password="+password).Web()
	}
	begun := login("ada", servertest.Password).Wants(200, "")
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"bob"}`).Wants(201, "")
	admin.CallJSON(t, "POST", "/v1/users/ada/rename", `{"username":"BOB"}`).Wants(409, "exists")
	admin.CallJSON(t, "POST", "/v1/users/ada/rename", `{"username":"a b"}`).Wants(400, "invalid")
	admin.CallJSON(t, "POST", "/v1/users/ada/rename", `{"username":"usr_x"}`).Wants(400, "invalid")
	admin.CallJSON(t, "POST", "/v1/users/nobody/rename", `{"username":"carl"}`).Wants(404, "not_found")
	admin.CallJSON(t, "PUT", "/v1/users/ada/aliases/bob", "").Wants(409, "exists")
	a := admin.CallJSON(t, "POST", "/v1/users/ada/rename", `{"username":"Countess@XN--bcher-kva.example"}`).Wants(200, "")
	if a.Str("username") != "countess@bücher.example" || a.JSON["aliases"] != nil {
		t.Errorf("got %s", a.Raw)
	}
	admin.CallJSON(t, "PUT", "/v1/users/countess@b%C3%BCcher.example/aliases/AdaL", "").Wants(200, "")
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"adal"}`).Wants(409, "exists")
	admin.CallJSON(t, "DELETE", "/v1/users/adal/aliases/countess@b%C3%BCcher.example", "").Wants(400, "invalid")
	admin.CallJSON(t, "DELETE", "/v1/users/adal/aliases/bob", "").Wants(404, "not_found")
	login("ada", servertest.Password).Wants(400, "invalid_grant")
	for _, name := range []string{"countess@bücher.example", "ADAL"} {
		a := login(name, servertest.Password).Wants(200, "")
		if _, claims := servertest.DecodeJWT(t, a.Str("access_token")); claims["sub"] != s.UserID.String() {
			t.Errorf("%q: got the tokens of %v", name, claims["sub"])
		}
	}
	s.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+begun.Str("refresh_token")).Web().Wants(200, "")

	for i, name := range []string{"countess@bücher.example", "adal", "countess@xn--bcher-kva.example", "adal"} {
		login(name, fmt.Sprint("wrong", i)).Wants(400, "invalid_grant")
	}
	login("adal", "wrong").Wants(429, "slow_down")
	login("countess@bücher.example", "wrong").Wants(429, "slow_down")
	if a := admin.CallJSON(t, "GET", "/v1/throttle?user=adal", "").Wants(200, ""); len(a.JSON["limits"].([]any)) == 0 {
		t.Errorf("the throttle of an alias: got %s", a.Raw)
	}
	for i := range store.MaxAliases {
		want := 200
		if i == store.MaxAliases-1 {
			want = 400 // one was there
		}
		if a := admin.CallJSON(t, "PUT", fmt.Sprintf("/v1/users/adal/aliases/more%d", i), "").Do(); a.Status != want {
			t.Errorf("alias %d: got %d %s, want %d", i, a.Status, a.Raw, want)
		}
	}
	admin.CallJSON(t, "PUT", "/v1/users/adal/aliases/more0", "").Wants(200, "") // it is there
	admin.CallJSON(t, "POST", "/v1/users/adal/rename", `{"username":"more0"}`).Wants(200, "")
	admin.CallJSON(t, "DELETE", "/v1/users/more0/aliases/AdaL", "").Wants(200, "")
	admin.CallJSON(t, "GET", "/v1/users/adal", "").Wants(404, "not_found")
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"dora","aliases":["D@XN--bcher-kva.example","dora"]}`).Wants(201, "")
	admin.CallJSON(t, "GET", "/v1/users/d@b%C3%BCcher.example", "").Wants(200, "")
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"dan","aliases":["DORA"]}`).Wants(409, "exists")
	for _, want := range []struct{ line, member string }{{`{"username":"emil","aliases":["em","E.M@example.com"]}`, "created"}, {`{"username":"emma","aliases":["em"]}`, "refused_count"}} {
		if a := admin.CallJSON(t, "POST", "/v1/users:import", want.line+"\n").Do(); a.JSON[want.member] != 1.0 {
			t.Errorf("import of %s: got %s", want.line, a.Raw)
		}
	}
	if a := admin.CallJSON(t, "GET", "/v1/users/e.m@example.com", "").Wants(200, ""); a.Str("username") != "emil" {
		t.Errorf("an imported alias: got %s", a.Raw)
	}
	for _, kind := range []string{"user.rename", "user.add_alias", "user.remove_alias"} {
		if a := admin.CallJSON(t, "GET", "/v1/audit?type="+kind+"&user=more0", "").Do(); a.Status != 200 || len(a.JSON["events"].([]any)) == 0 {
			t.Errorf("%s: got %s", kind, a.Raw)
		}
	}
}
