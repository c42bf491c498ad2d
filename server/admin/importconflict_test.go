package admin_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"signet/server/admin/api"
	"signet/server/servertest"
	"signet/store"
)

func bcrypted(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// importLines imports with an answer of lines, and returns what became of each username and the last line.
func importLines(t testing.TB, admin *servertest.Server, query, body string) (map[string]api.ImportLine, api.ImportLine) {
	t.Helper()
	a := admin.CallJSON(t, "POST", "/v1/users:import?"+query, body).Set("Accept", api.NDJSON).Wants(200, "")
	got := map[string]api.ImportLine{}
	var last api.ImportLine
	for line := range strings.Lines(a.Raw) {
		last = api.ImportLine{}
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[last.Username] = last
	}
	return got, last
}

func userNamed(t testing.TB, s *servertest.Server, name string) store.User {
	t.Helper()
	u, err := s.Store.UserByName(t.Context(), name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return u
}

// TestImportConflicts: who is changed by a line whose name is taken, and in what.
func TestImportConflicts(t *testing.T) {
	t.Parallel()
	const set = "a password that was set here"
	first, second := bcrypted(t, "the first password"), bcrypted(t, "the second password")
	row := func(hash, more string) string {
		return fmt.Sprintf(`{"username":"bob","password_hash":%q,"id":7,"claims":{"team":"red"}%s}`, hash, more)
	}
	for _, c := range []struct {
		name, mode, before string // what happened since bob was imported with the first password
		line               string
		result             string
		reason             string
		works              string // the password that works afterwards
		ended              bool   // his session
	}{
		{"the same line", "fail", "", row(first, ""), api.ImportUnchanged, "", "the first password", false},
		{"the same line", "skip", "", row(first, ""), api.ImportUnchanged, "", "the first password", false},
		{"the same line", "update", "", row(first, ""), api.ImportUnchanged, "", "the first password", false},
		{"after a login", "fail", "login", row(first, ""), api.ImportUnchanged, "", "the first password", false},
		{"after a login", "update", "login", row(first, ""), api.ImportUnchanged, "", "the first password", false},
		{"after a change here", "fail", "set", row(first, ""), api.ImportUnchanged, "", set, false},
		{"after a change here", "update", "set", row(first, ""), api.ImportUnchanged, "", set, false},
		{"changed there", "fail", "login", row(second, ""), api.ImportRefused, "exists already", "the first password", false},
		{"changed there", "skip", "login", row(second, ""), api.ImportSkipped, "", "the first password", false},
		{"changed there", "update", "", row(second, ""), api.ImportUpdated, "", "the second password", true},
		{"changed there", "update", "login", row(second, ""), api.ImportUpdated, "", "the second password", true},
		{"changed here and there", "update", "set", row(second, ""), api.ImportUnchanged, "was set here", set, false},
		{"disabled there", "fail", "login", row(first, `,"disabled":true`), api.ImportUnchanged, "", "the first password", false},
		{"disabled there", "update", "login", row(first, `,"disabled":true`), api.ImportUpdated, "", "", true},
		{"disabled here", "update", "disable", row(first, ""), api.ImportUnchanged, "", "", true},
		{"enabled there", "update", "disable", row(first, `,"disabled":false`), api.ImportUpdated, "", "the first password", true},
		{"no password", "update", "login", `{"username":"BOB"}`, api.ImportUnchanged, "", "the first password", false},
		{"a claim", "update", "login", `{"username":"bob","claims":{"team":"blue","x":1}}`, api.ImportUpdated, "", "the first password", false},
		{"another id", "update", "", `{"username":"bob","id":8,"password_hash":"` + second + `"}`, api.ImportRefused, "another id", "the first password", false},
		{"another id", "skip", "", `{"username":"bob","id":"7","password_hash":"` + first + `"}`, api.ImportRefused, "another id", "the first password", false},
	} {
		t.Run(c.name+", "+c.mode+", "+c.before, func(t *testing.T) {
			s, admin := servertest.NewAdmin(t, nil)
			made, _ := importLines(t, admin, "", row(first, ""))
			sub := made["bob"].Subject
			if made["bob"].Result != api.ImportCreated || sub != userNamed(t, s, "bob").ID.String() {
				t.Fatalf("got %+v", made)
			}
			switch c.before {
			case "login":
				s.PasswordLogin(t, "bob", "the first password").Wants(200, "")
				if h := userNamed(t, s, "bob").PasswordHash; !strings.HasPrefix(h, "$argon2id$") {
					t.Fatalf("the login did not hash anew: %.10s", h)
				}
			case "set":
				admin.CallJSON(t, "PUT", "/v1/users/bob/password", `{"password":"`+set+`"}`).Wants(204, "")
			case "disable":
				admin.CallJSON(t, "POST", "/v1/users/bob/disable", "").Wants(200, "")
			}
			before := userNamed(t, s, "bob")
			dry, _ := importLines(t, admin, "dry_run=true&on_conflict="+c.mode, c.line)
			if got := only(t, dry); got.Result != c.result || userNamed(t, s, "bob").Revision != before.Revision {
				t.Errorf("dry run: got %+v, want %s and no change", got, c.result)
			}
			answer, _ := importLines(t, admin, "on_conflict="+c.mode, c.line)
			got, after := only(t, answer), userNamed(t, s, "bob")
			if got.Result != c.result || !strings.Contains(got.Reason, c.reason) || c.reason == "" && got.Reason != "" {
				t.Errorf("got %+v, want %s %q", got, c.result, c.reason)
			}
			if got.Result != api.ImportRefused && got.Subject != sub {
				t.Errorf("got sub %q, want %q", got.Subject, sub)
			}
			if changed := after.Revision != before.Revision; changed != (c.result == api.ImportUpdated) {
				t.Errorf("the record changed: %v", changed)
			}
			if ended := after.Epoch != 0; ended != c.ended && c.before != "set" {
				t.Errorf("sessions ended: %v, want %v", ended, c.ended)
			}
			for _, password := range []string{"the first password", "the second password", set} {
				if password == c.works {
					s.PasswordLogin(t, "bob", password).Wants(200, "")
				} else {
					s.PasswordLogin(t, "bob", password).Wants(400, "invalid_grant")
				}
			}
			if again, _ := importLines(t, admin, "on_conflict="+c.mode, c.line); c.result == api.ImportUpdated && only(t, again).Result != api.ImportUnchanged {
				t.Errorf("a second time: got %+v", again)
			}
		})
	}
}

// only returns the one line of an answer that is not its last.
func only(t *testing.T, lines map[string]api.ImportLine) api.ImportLine {
	t.Helper()
	for name, l := range lines {
		if name != "" {
			return l
		}
	}
	t.Fatalf("no line in %v", lines)
	return api.ImportLine{}
}

// TestImportKeepsUsersWhoWereMadeHere: an update never replaces a password that was never imported, and records what
// it changes.
func TestImportKeepsUsersWhoWereMadeHere(t *testing.T) {
	s, admin := servertest.NewAdmin(t, nil)
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"carol"}`).Wants(201, "")
	old := bcrypted(t, "from the old system")
	got, last := importLines(t, admin, "on_conflict=update", fmt.Sprintf(
		`{"username":"ADA","password_hash":%q,"claims":{"x":1}}`+"\n"+`{"username":"carol","password_hash":%q,"disabled":true}`, old, old))
	if got["ADA"].Result != api.ImportUpdated || !strings.Contains(got["ADA"].Reason, "set here") {
		t.Errorf("got %+v", got["ADA"])
	}
	s.PasswordLogin(t, "ada", servertest.Password).Wants(200, "")
	if got["carol"].Result != api.ImportUpdated || userNamed(t, s, "carol").PasswordHash != old {
		t.Errorf("a user without a password: got %+v", got["carol"])
	}
	if r := last.Report; r == nil || r.Accepted != 2 || r.Updated != 2 || r.RefusedCount != 0 {
		t.Errorf("got %+v", r)
	}
	for kind, name := range map[string]string{store.EventUserUpdate: "ada", store.EventUserSetPassword: "carol", store.EventUserDisable: "carol"} {
		if e := s.AwaitEvent(t, kind); e.Subject != userNamed(t, s, name).ID.String() || e.Detail["by"] != "user.import" {
			t.Errorf("%s: got %+v", kind, e)
		}
	}
}

// TestImportKeepsUsersWhoMoved: an upstream has accepted a newer password than the table can have.
func TestImportKeepsUsersWhoMoved(t *testing.T) {
	s, admin := servertest.NewAdmin(t, nil)
	importLines(t, admin, "", `{"username":"bob"}`)
	moved := bcrypted(t, "the password of today")
	if _, err := s.Store.UpdateUser(t.Context(), userNamed(t, s, "bob").ID, func(u *store.User) error {
		u.PasswordHash, u.Move, u.MovedAt = moved, store.MoveDone, u.CreatedAt
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got, _ := importLines(t, admin, "on_conflict=update", fmt.Sprintf(`{"username":"bob","password_hash":%q}`, bcrypted(t, "an older password")))
	if got["bob"].Result != api.ImportUnchanged || !strings.Contains(got["bob"].Reason, "kept") || userNamed(t, s, "bob").PasswordHash != moved {
		t.Errorf("got %+v", got["bob"])
	}
}

// TestImportKeepsDisabledAndID: a blocked user does not come in as an active one.
func TestImportKeepsDisabledAndID(t *testing.T) {
	s, admin := servertest.NewAdmin(t, nil)
	hash := bcrypted(t, "old secret")
	lines := fmt.Sprintf(`{"username":"bob","password_hash":%q,"disabled":true,"id":"5f-1"}`+"\n"+`{"username":"eve","id":1,"claims":{"legacy_id":2}}`+"\n"+
		`{"username":"dan","id":{}}`+"\n"+`{"username":"fay","hash_scheme":"bcrypt"}`+"\n"+`{"username":"gil","id":null,"line":7,"reason":"mended"}`, hash)
	got, _ := importLines(t, admin, "", lines)
	s.PasswordLogin(t, "bob", "old secret").Wants(400, "invalid_grant")
	if u := userNamed(t, s, "bob"); !u.Disabled || string(u.Claims["legacy_id"]) != `"5f-1"` {
		t.Errorf("got %+v", u)
	}
	for name, part := range map[string]string{"eve": "another claim of that name", "dan": "text or a number", "fay": "without a password_hash"} {
		if got[name].Result != api.ImportRefused || !strings.Contains(got[name].Reason, part) {
			t.Errorf("%s: got %+v", name, got[name])
		}
	}
	if got["gil"].Result != api.ImportCreated {
		t.Errorf("a line of a report: got %+v", got["gil"])
	}
	importLines(t, admin, "id_claim=old_id", `{"username":"hal","id":12}`)
	if u := userNamed(t, s, "hal"); string(u.Claims["old_id"]) != "12" {
		t.Errorf("got %s", u.Claims)
	}
}

func TestImportParameters(t *testing.T) {
	_, admin := servertest.NewAdmin(t, nil)
	for query, part := range map[string]string{"on_conflict=merge": "fail, skip or update", "dry_run=1": "true or false", "allow_weak=yes": "true or false",
		"id_claim=sub": "meaning of its own", "mode=update": "no query parameter", "dry_run=true&dry_run=true": "more than once", "dry_run=": "is empty"} {
		admin.CallJSON(t, "POST", "/v1/users:import?"+query, `{"username":"x1"}`).Wants(400, "invalid").WantsMessage(t, part)
	}
	for body, part := range map[string]string{`[{"username":"x1"}]`: "JSON array", "\n [\n{}]": "JSON array", "\xff\xfe{\x00": "UTF-16", "{\x00\"\x00": "UTF-16", "\x1f\x8b\x08 gzip": "compressed"} {
		admin.CallJSON(t, "POST", "/v1/users:import", body).Wants(400, "invalid").WantsMessage(t, part)
	}
	admin.CallJSON(t, "GET", "/v1/users/x1", "").Wants(404, "not_found")
}

// TestImportDryRun: nothing is made and nothing recorded.
func TestImportDryRun(t *testing.T) {
	s, admin := servertest.NewAdmin(t, nil)
	got, last := importLines(t, admin, "dry_run=true", `{"username":"bob"}`+"\n"+`{"username":"BOB"}`+"\n"+`{"username":"ada"}`)
	if got["bob"].Result != api.ImportCreated || got["bob"].Subject != "" || got["BOB"].Result != api.ImportRefused || got["ada"].Result != api.ImportRefused {
		t.Errorf("got %+v", got)
	}
	if last.Report.Created != 1 || last.Report.RefusedCount != 2 {
		t.Errorf("got %+v", last.Report)
	}
	admin.CallJSON(t, "GET", "/v1/users/bob", "").Wants(404, "not_found")
	s.FlushAudit(t)
	if events := s.NewestEvent(t, "user.import"); len(events) > 0 {
		t.Errorf("got %+v", events)
	}
}

// TestImportAnswersWhileItReads: the answer of a line comes before the body ends, so neither side holds them all.
func TestImportAnswersWhileItReads(t *testing.T) {
	_, admin := servertest.NewAdmin(t, nil)
	body, send := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", admin.URL+"/v1/users:import", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", api.NDJSON)
	go sendUsers(send, "early", 768)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for i := range 768 { // the body has not ended
		var l api.ImportLine
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &l) != nil || l.Line != i+1 || l.Username != fmt.Sprint("early", i) || l.Subject == "" {
			t.Fatalf("line %d: got %q, %v", i+1, lines.Text(), lines.Err())
		}
	}
	send.CloseWithError(io.ErrUnexpectedEOF) // the connection is cut
	if lines.Scan() {
		t.Errorf("after the cut: got %q", lines.Text())
	}
}

// TestImportThatBreaksOffSaysSo: the last line has the error.
func TestImportThatBreaksOffSaysSo(t *testing.T) {
	s, admin := servertest.NewAdmin(t, nil)
	_, last := importLines(t, admin, "", `{"username":"bob"}`)
	if last.Report == nil || last.Report.Created != 1 || last.Report.Refused != nil {
		t.Errorf("got %+v", last)
	}
	var big strings.Builder
	sendUsers(&big, "u", 200)
	broken := io.MultiReader(strings.NewReader(big.String()), failingReader{})
	req := httptest.NewRequest("POST", "/v1/users:import", broken)
	req.Header.Set("Accept", api.NDJSON)
	w := httptest.NewRecorder()
	s.Admin().ServeHTTP(w, req)
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 201 || last.Error == nil || last.Error.Code != api.CodeInvalid ||
		!strings.Contains(last.Error.Message, "after line 200 (accepted users: 200)") {
		t.Errorf("got %d lines, the last %q, %v", len(lines), lines[len(lines)-1], err)
	}
}
