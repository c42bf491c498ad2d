package admin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"signet/server"
	"signet/server/edge"
	"signet/server/servertest"
	"signet/server/upstream"
)

type importReport struct {
	Accepted int
	Refused  []struct {
		Line     int
		Username string
		Reason   string
	}
	RefusedCount int `json:"refused_count"`
}

func importUsers(t testing.TB, admin *servertest.Server, body string) (r importReport) {
	t.Helper()
	a := admin.CallJSON(t, "POST", "/v1/users:import", body).Set("Content-Type", "application/x-ndjson").Wants(200, "")
	if err := json.Unmarshal([]byte(a.Raw), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestImport(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	hash, err := bcrypt.GenerateFromPassword([]byte("old secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{
		1:  `{"username":"Bob","password_hash":"` + string(hash) + `","claims":{"roles":["a"]}}`,
		2:  ``,
		3:  `{"username":"carol"}`,
		4:  `{"username":"bob"}`,
		5:  `{"username":"ADA"}`,
		6:  `{"username":"dan","password_hash":"$9$unknown"}`,
		7:  `{"username":"erin","password":"in the clear, no"}`,
		8:  `not JSON`,
		9:  `{"username":"a b"}`,
		10: `{"username":"frank","claims":{"sub":"x"}}`,
		11: `{"username":"` + strings.Repeat("x", 100_000) + `"}`,
		12: `{"username":"gina"}`, // no line end after it
	}
	got := importUsers(t, admin, strings.Join(lines[1:], "\r\n"))
	want := map[int]string{4: "an earlier line", 5: "exists", 6: "password hash", 7: "password", 8: "JSON object", 9: "username", 10: "meaning of its own", 11: "64 KiB"}
	if got.Accepted != 3 || got.RefusedCount != len(want) || len(got.Refused) != len(want) {
		t.Errorf("got %+v, want 3 accepted and %d refused", got, len(want))
	}
	last := 0
	for _, r := range got.Refused {
		if part, ok := want[r.Line]; !ok || !strings.Contains(r.Reason, part) || r.Line <= last {
			t.Errorf("line %d: got %q, want %q", r.Line, r.Reason, part)
		}
		if strings.Contains(r.Reason, "$9$") || strings.Contains(r.Reason, "in the clear") {
			t.Errorf("line %d: the reason quotes a secret", r.Line)
		}
		last = r.Line
	}
	s.PasswordLogin(t, "bob", "old secret").Wants(200, "")
	for _, name := range []string{"carol", "gina"} {
		admin.CallJSON(t, "GET", "/v1/users/"+name, "").Wants(200, "")
	}
	if e := s.AwaitEvent(t, "user.import"); e.Detail["accepted"] != "3" || e.Detail["refused"] != fmt.Sprint(len(want)) || e.Actor != "socket" {
		t.Errorf("audit: got %+v", e)
	}
	if again := importUsers(t, admin, strings.Join(lines[1:], "\n")); again.Accepted != 3 || again.RefusedCount != 8 {
		t.Errorf("a second time: got %+v, want the same again", again)
	}
	if empty := importUsers(t, admin, ""); empty.Accepted != 0 || empty.Refused == nil {
		t.Errorf("nothing: got %+v", empty)
	}
}

func TestImportOfMany(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	var b strings.Builder
	const n = 500
	for i := range n {
		fmt.Fprintf(&b, "{\"username\":\"user%03d\"}\n{\"username\":\"User%03d\"}\n", i, i-i%7)
	}
	got := importUsers(t, admin, b.String())
	if got.Accepted != n || got.RefusedCount != n {
		t.Errorf("got %d accepted, %d refused, want %d of each", got.Accepted, got.RefusedCount, n)
	}
	for i, r := range got.Refused {
		if r.Line != 2*(i+1) {
			t.Fatalf("refusal %d: got line %d, want %d", i, r.Line, 2*(i+1))
		}
	}
}

// TestImportIsNotCutByTheReadTimeout: what goes on has no limit in all.
func TestImportIsNotCutByTheReadTimeout(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	web := httptest.NewUnstartedServer(nil)
	web.Config = edge.HTTPServer(s.Admin(), s.Config.Log)
	web.Config.ReadTimeout, web.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	web.Start()
	defer web.Close()
	body, upload := io.Pipe()
	go func() {
		defer upload.Close()
		for i := range 4 {
			time.Sleep(40 * time.Millisecond)
			fmt.Fprintf(upload, "{\"username\":\"user%d\"}\n", i)
		}
	}()
	res, err := http.Post(web.URL+"/v1/users:import", "application/x-ndjson", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got importReport
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Accepted != 4 {
		t.Errorf("got %d %+v %v, want 4 accepted", res.StatusCode, got, err)
	}
}

func TestImportThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	broken := io.MultiReader(strings.NewReader("{\"username\":\"bob\"}\n{\"username\":\"carol\"}"), failingReader{})
	w := httptest.NewRecorder()
	s.Admin().ServeHTTP(w, httptest.NewRequest("POST", "/v1/users:import", broken))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "after line 1 (accepted users: 1)") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestImportWithByteOrderMark: RFC 8259 §8.1 lets a reader ignore the mark that editors write.
func TestImportWithByteOrderMark(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	got := importUsers(t, admin, "\xef\xbb\xbf{\"username\":\"marked\"}\r\n{\"username\":\"second\"}\r\n")
	if got.Accepted != 2 || len(got.Refused) > 0 {
		t.Errorf("got %+v, want 2 accepted", got)
	}
	got = importUsers(t, admin, "\xef\xbb\xbf\r\n{\"username\":\"third\"}\n\xef\xbb\xbf{\"username\":\"fourth\"}\n")
	if got.Accepted != 1 || len(got.Refused) != 1 || got.Refused[0].Line != 3 {
		t.Errorf("a mark inside: got %+v, want line 3 refused", got)
	}
}

// TestImportIDs: two lines with one id would make two users of one.
func TestImportIDs(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	const lines = `{"username":"ann","id":7}` + "\n" + `{"username":"ben","id":8}` + "\n" + `{"username":"ann2","id":7}` + "\n" + `{"username":"ann3","id":"7"}` + "\n" +
		`{"username":"cay"}` + "\n" + `{"username":"dan"}` + "\n" + `{"username":"eve","id":""}` + "\n" + `{"username":"fay","id":""}` + "\n"
	for _, what := range []string{"first", "again"} { // one id in two imports is one user
		got := importUsers(t, admin, lines)
		if got.Accepted != 6 || got.RefusedCount != 2 || got.Refused[0].Line != 3 || got.Refused[1].Line != 4 || !strings.Contains(got.Refused[1].Reason, "an earlier line has the same id") {
			t.Errorf("%s: got %+v", what, got)
		}
	}
}

// TestImportWithoutUpstream: users who are marked for an upstream that is not there cannot log in.
func TestImportWithoutUpstream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query    string
		upstream bool
		warned   bool
	}{{"", false, false}, {"?not_moved=true", false, true}, {"?not_moved=true", true, false}, {"?not_moved=true&dry_run=true", false, true}} {
		_, admin := servertest.NewAdmin(t, func(cfg *server.Config) {
			if c.upstream {
				cfg.Upstream = upstream.Settings{Source: noSource{}, Kind: "https", IDClaim: "legacy_id", Timeout: time.Second, Concurrency: 1}
			}
		})
		a := admin.CallJSON(t, "POST", "/v1/users:import"+c.query, `{"username":"ann"}`).Wants(200, "")
		if got := strings.Contains(a.Raw, `"warnings":["this server has no users.upstream`); got != c.warned || strings.Contains(a.Raw, `"dry_run":true`) != strings.Contains(c.query, "dry_run") {
			t.Errorf("%+v: got %s", c, a.Raw)
		}
	}
}

type noSource struct{ upstream.Source }

// TestImportReportsKeptPasswords: who kept a password that was set here is in the report.
func TestImportReportsKeptPasswords(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	row := func(name, password string) string {
		return fmt.Sprintf("{\"username\":%q,\"password_hash\":%q}\n", name, bcrypted(t, password))
	}
	importUsers(t, admin, row("ann", "the first")+row("ben", "the first"))
	admin.CallJSON(t, "PUT", "/v1/users/ben/password", `{"password":"a password that was set here"}`).Wants(204, "")
	a := admin.CallJSON(t, "POST", "/v1/users:import?on_conflict=update", row("ann", "the second")+row("ben", "the second")).Wants(200, "")
	if !strings.Contains(a.Raw, `"kept_passwords":[{"line":2,"username":"ben","reason":"the password was set here and was kept"}],"kept_count":1`) {
		t.Errorf("got %s", a.Raw)
	}
}
