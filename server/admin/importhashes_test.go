package admin_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"signet/server"
	"signet/server/servertest"
)

// TestImportedHashesLogIn: users with the hashes that other software made come in by the admin API and log in with their
// passwords, and then have hashes of our own. Wrong passwords never log in.
func TestImportedHashesLogIn(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, func(cfg *server.Config) { cfg.Throttle.PerNetwork, cfg.Throttle.PerClient = 1000, 1000 })
	file, err := os.Open("../password/hash/testdata/made.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	type user struct{ name, password, by string }
	var users []user
	var body strings.Builder
	seen := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var made struct {
			By       string `json:"made_by"`
			Scheme   string `json:"scheme"`
			Password string `json:"password"`
			Hash     string `json:"hash"`
		}
		if err := json.Unmarshal(lines.Bytes(), &made); err != nil {
			t.Fatal(err)
		}
		if seen[made.By] || made.Scheme == "devise" || !strings.ContainsAny(made.Password, "üﬁ'") { // one of each, with more than ASCII
			continue
		}
		seen[made.By] = true
		users = append(users, user{fmt.Sprint("user", len(users)), made.Password, made.By})
		line, err := json.Marshal(map[string]string{"username": users[len(users)-1].name, "password_hash": made.Hash, "hash_scheme": made.Scheme})
		if err != nil {
			t.Fatal(err)
		}
		body.Write(append(line, '\n'))
	}
	if len(users) < 80 {
		t.Fatalf("got %d kinds of hashes, want all", len(users))
	}
	answers, last := importLines(t, admin, "allow_weak=true", body.String())
	if last.Report == nil || last.Report.Accepted != len(users) {
		t.Fatalf("got %+v, want %d accepted; %+v", last, len(users), answers)
	}
	for i, u := range users {
		if testing.Short() && i%4 > 0 { // they are slow on purpose
			continue
		}
		before := userNamed(t, s, u.name).PasswordHash
		if strings.Contains(before, u.password) {
			t.Errorf("%s: the password is stored", u.by)
		}
		s.PasswordLogin(t, u.name, u.password+"x").Wants(400, "invalid_grant")
		if a := s.PasswordLogin(t, u.name, u.password).Do(); a.Status != 200 {
			t.Errorf("%s: got %d for the right password", u.by, a.Status)
			continue
		}
		after := userNamed(t, s, u.name).PasswordHash
		if !strings.Contains(after, "$argon2id$v=") || strings.HasPrefix(after, "$wrapped") || after == before && !strings.HasPrefix(before, "$argon2id$") {
			t.Errorf("%s: got %.12s… after the first login, from %.12s…", u.by, after, before)
		}
		s.PasswordLogin(t, u.name, u.password).Wants(200, "")
		s.PasswordLogin(t, u.name, u.password+"x").Wants(400, "invalid_grant")
	}
}
