package admin_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/server/account"
	"signet/server/admin/api"
	"signet/server/servertest"
	"signet/store"
)

// md5 of "salt" and "correct horse battery", as Django spells it and as earlier versions stored it.
const (
	djangoMD5 = "md5$salt$185a8ce4c769b0acdfda7dcc0f5026bf"
	storedMD5 = "$digest$salt-md5$c2FsdA$GFqM5MdpsKzf2n3MD1Amvw"
)

// TestFastHashesAreNotStored: a salted hash that is fast to guess comes in wrapped, is counted as what it is, logs in, and is
// then replaced. One that an earlier version stored as it was goes on working, and the same line finds both again.
func TestFastHashesAreNotStored(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	line := func(name string) string {
		return fmt.Sprintf(`{"username":%q,"password_hash":%q,"hash_scheme":"django"}`+"\n", name, djangoMD5)
	}
	both := line("ann") + line("ben")
	if _, last := importLines(t, admin, "dry_run=true", both); last.Report == nil || last.Report.Created != 2 {
		t.Fatalf("dry run: got %+v", last)
	}
	if _, last := importLines(t, admin, "", both); last.Report == nil || last.Report.Created != 2 {
		t.Fatalf("got %+v", last)
	}
	ann, ben := userNamed(t, s, "ann"), userNamed(t, s, "ben")
	if !strings.HasPrefix(ann.PasswordHash, "$wrapped$$digest$salt-md5$c2FsdA$") || !strings.Contains(ann.PasswordHash, "$argon2id$v=19$") || ann.PasswordHash == ben.PasswordHash {
		t.Errorf("got %s and %s", ann.PasswordHash, ben.PasswordHash)
	}
	if _, err := s.Store.UpdateUser(t.Context(), ben.ID, func(u *store.User) error { u.PasswordHash = storedMD5; return nil }); err != nil {
		t.Fatal(err)
	}
	for name, scheme := range map[string]string{"ann": "wrapped-salt-md5", "ben": "digest-salt-md5"} {
		if u := admin.CallJSON(t, "GET", "/v1/users/"+name, "").Wants(200, ""); u.Str("password_scheme") != scheme || !strings.Contains(u.Raw, `"password_weak":true`) {
			t.Errorf("%s: got %s, want %s", name, u.Raw, scheme)
		}
	}
	if weak := admin.CallJSON(t, "GET", "/v1/users?weak=true", "").Wants(200, ""); !strings.Contains(weak.Raw, `"ann"`) || !strings.Contains(weak.Raw, `"ben"`) {
		t.Errorf("weak users: got %s", weak.Raw)
	}
	if _, last := importLines(t, admin, "", both); last.Report == nil || last.Report.Unchanged != 2 {
		t.Errorf("again: got %+v", last)
	}
	for _, name := range []string{"ann", "ben"} {
		s.PasswordLogin(t, name, "correct horse").Wants(400, "invalid_grant")
		s.PasswordLogin(t, name, "correct horse battery").Wants(200, "")
		if u := userNamed(t, s, name); !strings.HasPrefix(u.PasswordHash, "$argon2id$") {
			t.Errorf("%s: got %.20s… after the login", name, u.PasswordHash)
		}
		s.PasswordLogin(t, name, "correct horse battery").Wants(200, "")
	}
	if _, last := importLines(t, admin, "on_conflict=update", both); last.Report == nil || last.Report.Unchanged != 2 {
		t.Errorf("after the logins: got %+v", last)
	}
}

// phpass of "correct horse battery", as passlib writes it.
const phpassHash = "$P$Babcdefgh74577h1O81KPANIXqnC6Z0"

// TestFastHashesAreWrappedLater: a salted hash of many steps is stored as it is where that is allowed, and nothing else is. It logs
// in, is counted, and is wrapped by the server for users who do not come.
func TestFastHashesAreWrappedLater(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	table := fmt.Sprintf(`{"username":"ann","password_hash":%q}`+"\n"+`{"username":"ben","password_hash":%[1]q}`+"\n"+
		`{"username":"cay","password_hash":%q,"hash_scheme":"django"}`+"\n", phpassHash, djangoMD5)
	for _, step := range []struct {
		query        string
		wraps, later int
	}{{"dry_run=true", 3, 2}, {"dry_run=true&wrap_later=true", 1, 2}, {"wrap_later=true", 1, 2}} {
		if _, last := importLines(t, admin, step.query, table); last.Report == nil || last.Report.Created != 3 || last.Report.Wrapped != step.wraps || last.Report.WrapLater != step.later {
			t.Fatalf("%s: got %+v", step.query, last.Report)
		}
	}
	if _, last := importLines(t, admin, "", table); last.Report == nil || last.Report.Unchanged != 3 || last.Report.Wrapped != 0 {
		t.Errorf("again: got %+v", last.Report)
	}
	hashes := func(want ...string) {
		t.Helper()
		for i, name := range []string{"ann", "ben", "cay"} {
			if u := userNamed(t, s, name); !strings.HasPrefix(u.PasswordHash, want[i]) {
				t.Errorf("%s: got %.40s, want %s…", name, u.PasswordHash, want[i])
			}
		}
	}
	hashes(phpassHash, phpassHash, "$wrapped$$digest$")
	s.PasswordLogin(t, "ann", "correct horse").Wants(400, "invalid_grant")
	s.PasswordLogin(t, "ann", "correct horse battery").Wants(200, "")
	hashes("$argon2id$", phpassHash, "$wrapped$$digest$")
	before := userNamed(t, s, "ben")
	wrapper := account.NewWrapper(s.Store, s.Config.Passwords, slog.New(slog.DiscardHandler))
	for _, want := range []int{1, 0} {
		if done, err := wrapper.Walk(t.Context()); done != want || err != nil {
			t.Errorf("Walk: got %d, %v, want %d", done, err, want)
		}
	}
	hashes("$argon2id$", "$wrapped$$P$Babcdefgh......................$argon2id$", "$wrapped$$digest$")
	if after := userNamed(t, s, "ben"); after.Epoch != before.Epoch || after.Imported != before.Imported {
		t.Errorf("got %+v, was %+v", after, before)
	}
	if _, last := importLines(t, admin, "on_conflict=update&wrap_later=true", table); last.Report == nil || last.Report.Unchanged != 3 {
		t.Errorf("at the end: got %+v", last.Report)
	}
	s.PasswordLogin(t, "ben", "correct horse").Wants(400, "invalid_grant")
	s.PasswordLogin(t, "ben", "correct horse battery").Wants(200, "")
	hashes("$argon2id$", "$argon2id$", "$wrapped$$digest$")
}

// slowConnection counts how often the time for the next step is set.
type slowConnection struct {
	*httptest.ResponseRecorder
	reads, writes atomic.Int64
}

func (c *slowConnection) SetReadDeadline(time.Time) error  { c.reads.Add(1); return nil }
func (c *slowConnection) SetWriteDeadline(time.Time) error { c.writes.Add(1); return nil }

// TestSlowLinesDoNotEndAnImport: a batch of lines whose hashes are wrapped may take longer than a step of a stream may. So each line
// gives the stream more time.
func TestSlowLinesDoNotEndAnImport(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	const lines = 100
	var body strings.Builder
	for i := range lines {
		fmt.Fprintf(&body, `{"username":"user%d","password_hash":%q,"hash_scheme":"django"}`+"\n", i, djangoMD5)
	}
	r := httptest.NewRequest("POST", "/v1/users:import", strings.NewReader(body.String()))
	r.Header.Set("Content-Type", api.NDJSON)
	c := &slowConnection{ResponseRecorder: httptest.NewRecorder()}
	s.Admin().ServeHTTP(c, r)
	if c.Code != http.StatusOK || !strings.Contains(c.Body.String(), fmt.Sprintf(`"created":%d`, lines)) {
		t.Fatalf("got %d %s", c.Code, c.Body)
	}
	if c.reads.Load() < lines || c.writes.Load() < lines {
		t.Errorf("the time for the next step was set %d and %d times for %d lines", c.reads.Load(), c.writes.Load(), lines)
	}
}
