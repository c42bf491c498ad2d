package server_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"signet/server/account"
	"signet/server/servertest"
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
