package admin_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/server/servertest"
	"signet/store"
)

// userNames reads the list with the query, page by page.
func userNames(t *testing.T, admin *servertest.Server, query string) (names []string, pages int) {
	t.Helper()
	for next := ""; pages == 0 || next != ""; pages++ {
		var page struct {
			Users []struct{ Username string }
			Next  string
		}
		a := admin.CallJSON(t, "GET", "/v1/users?"+query+"&after="+url.QueryEscape(next), "").Wants(200, "")
		if err := json.Unmarshal([]byte(a.Raw), &page); err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			names = append(names, u.Username)
		}
		next = page.Next
	}
	return names, pages
}

func TestSearchUsers(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	for _, name := range []string{"al", "ali", "alice", "alina", "alz", "am", "Ålice", "b"} {
		admin.CallJSON(t, "POST", "/v1/users", `{"username":"`+name+`"}`).Wants(201, "")
	}
	admin.CallJSON(t, "POST", "/v1/users/alina/disable", "").Wants(200, "")
	for query, want := range map[string]string{
		"prefix=ali":                       "ali alice alina",
		"prefix=ALI":                       "ali alice alina",
		"prefix=al&limit=1":                "al ali alice alina alz",
		"prefix=al&limit=2":                "al ali alice alina alz",
		"prefix=alice":                     "alice",
		"prefix=alicex":                    "",
		"prefix=%C3%85":                    "ålice",
		"prefix=z":                         "",
		"disabled=true":                    "alina",
		"disabled=true&limit=2":            "alina",
		"disabled=false&prefix=al":         "al ali alice alz",
		"disabled=false&prefix=al&limit=1": "al ali alice alz",
		"limit=3":                          "ada al ali alice alina alz am b ålice",
	} {
		if got, _ := userNames(t, admin, query); strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if _, pages := userNames(t, admin, "prefix=ali&limit=1000"); pages != 1 {
		t.Errorf("a search of one page took %d", pages)
	}
	for _, bad := range []string{"prefix=a%20b", "prefix=%0a", "disabled=yes", "prefix=a&prefix=b"} {
		admin.CallJSON(t, "GET", "/v1/users?"+bad, "").Wants(400, "invalid")
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	const n = 150
	var lines strings.Builder
	for i := range n {
		admin.CallJSON(t, "POST", "/v1/users", fmt.Sprintf(`{"username":"user%03d"}`, i)).Wants(201, "")
		fmt.Fprintf(&lines, "{\"username\":\"USER%03d\"}\n", i)
	}
	sub := admin.CallJSON(t, "POST", "/v1/users", `{"username":"by-sub"}`).Wants(201, "").Str("sub")
	fmt.Fprintf(&lines, "{\"username\":%q}\n{\"username\":\"nobody\"}\nnonsense\n{\"username\":\"user000\",\"other\":1}\n", sub)
	refresh1 := s.Login(t).Str("refresh_token")
	bulk := func(verb, body string) importReport {
		t.Helper()
		a := admin.CallJSON(t, "POST", "/v1/users:"+verb, body).Set("Content-Type", "application/x-ndjson").Wants(200, "")
		var r importReport
		if err := json.Unmarshal([]byte(a.Raw), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	names := func() []string { got, _ := userNames(t, admin, "disabled=true"); return got }
	for _, verb := range []string{"disable", "disable", "enable", "disable"} { // doing it again is harmless
		if r := bulk(verb, lines.String()); r.Accepted != n+1 || r.RefusedCount != 3 || r.Refused[0].Line != n+2 || !strings.Contains(r.Refused[0].Reason, "no user") {
			t.Fatalf("%s: got %+v", verb, r)
		}
		if got, want := len(names()), map[string]int{"disable": n + 1, "enable": 0}[verb]; got != want {
			t.Errorf("%s: %d users are disabled, want %d", verb, got, want)
		}
	}
	if r := bulk("revoke-sessions", `{"username":"ada"}`); r.Accepted != 1 {
		t.Errorf("revoke-sessions: got %+v", r)
	}
	s.Refresh(t, refresh1).Wants(400, "invalid_grant")
	if r := bulk("delete", lines.String()); r.Accepted != n+1 || r.RefusedCount != 3 {
		t.Errorf("delete: got %+v", r)
	}
	if got, _ := userNames(t, admin, ""); !slices.Equal(got, []string{"ada"}) {
		t.Errorf("users left: %v", got)
	}
	if e := s.AwaitEvent(t, store.EventUserBulk); e.Detail["verb"] != "delete" || e.Detail["accepted"] != fmt.Sprint(n+1) {
		t.Errorf("event at the end: got %+v", e)
	}
	if e := s.AwaitEvent(t, store.EventUserDelete); !strings.HasPrefix(e.Subject, "usr_") {
		t.Errorf("event of each: got %+v", e)
	}
	s.AwaitEvent(t, store.EventUserBulkBegin)
}
