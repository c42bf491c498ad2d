package hash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// made is a hash that other software made; the scripts in testdata print them.
type made struct {
	By       string `json:"made_by"`
	Scheme   string `json:"scheme"`
	Password string `json:"password"`
	Hash     string `json:"hash"`
}

func readMade(t *testing.T, text []byte) []made {
	t.Helper()
	var list []made
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var m made
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		list = append(list, m)
	}
	return list
}

// checkMade imports a hash and compares its password, and others that are nearly it.
func checkMade(t *testing.T, m made) {
	t.Helper()
	stored, err := Import(m.Scheme, m.Hash, ImportOptions{AllowWeak: true})
	if err != nil {
		t.Errorf("%s %q: got %v", m.By, m.Hash, err)
		return
	}
	if !NeedsWrap(stored) {
		checkStored(t, m, stored)
		return
	}
	h, err := wrapNow(stored)
	if err != nil {
		t.Errorf("%s %q: wrapping %q: got %v", m.By, m.Hash, stored, err)
		return
	}
	checkStored(t, m, h.String())
	if !unsalted(stored) {
		checkStored(t, m, stored) // as earlier versions stored it
	}
}

func checkStored(t *testing.T, m made, stored string) {
	t.Helper()
	h, err := Parse(stored)
	if err != nil {
		t.Errorf("%s %q: stored as %q: got %v", m.By, m.Hash, stored, err)
		return
	}
	if testing.Short() && h.Price().Work > 50_000 {
		return // cheaper ones of each format are enough in the inner loop
	}
	right := m.Password
	if Peppered(h) {
		right += "the pepper"
	}
	if !h.Verify([]byte(right)) {
		t.Errorf("%s %q, stored as %q: the right password: got no match", m.By, m.Hash, h)
	}
	wrong := []string{"X" + right[1:]}
	if h.Price().Work < 1000 { // else one has to be enough
		wrong = append(wrong, "", "x"+right, right[1:])
		if !strings.Contains(h.Scheme(), "bcrypt") || len(right) < bcryptMaxBytes {
			wrong = append(wrong, right+"x", right[:len(right)-1])
		}
	}
	for _, w := range wrong {
		if h.Verify([]byte(w)) {
			t.Errorf("%s %q: %q: got a match", m.By, m.Hash, w)
		}
	}
	if again, err := Import("", h.String(), ImportOptions{}); err != nil || again != h.String() {
		t.Errorf("%s %q: stored as %q, which is imported as %q, %v", m.By, m.Hash, h, again, err)
	}
	if d, err := Parse(h.Dummy().String()); err != nil || d.Kind() != h.Kind() || d.String() == h.String() {
		t.Errorf("%s %q: dummy: got %v, %v", m.By, m.Hash, d, err)
	}
}

func wrapNow(imported string) (Hash, error) {
	prefix, secret, err := Wrap(imported)
	if err != nil {
		return nil, err
	}
	return Parse(prefix + New(Params{Memory: 8, Time: 1}, secret).String())
}

// family finds how a hash begins, up to its costs and its salt.
var family = regexp.MustCompile(`^(?:[${][^$}]+[$}]|[a-z0-9_]{1,20}[$:])`)

// What other software made is checked as that software checks it.
func TestHashesOfOtherSoftware(t *testing.T) {
	text, err := os.ReadFile("testdata/made.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	list := readMade(t, text)
	if len(list) < 300 {
		t.Fatalf("got %d hashes, want the whole file", len(list))
	}
	seen := map[string]bool{}
	for _, m := range list {
		by := m.By + m.Scheme + family.FindString(m.Hash)
		if testing.Short() && seen[by] {
			continue // one password of each is enough in the inner loop
		}
		seen[by] = true
		checkMade(t, m)
	}
}

// The same with hashes that are made now, by what is installed.
func TestFreshHashesOfOtherSoftware(t *testing.T) {
	if testing.Short() {
		t.Skip("starts other programs")
	}
	for _, s := range []struct {
		script  string
		command []string
		least   int // hashes, where all packages are installed
		install string
	}{
		{"make.py", []string{"/usr/bin/python3", "-W", "ignore"}, 245, "python3-passlib python3-django python3-werkzeug python3-bcrypt python3-argon2"},
		{"make.php", []string{"php"}, 44, "php-cli"},
		{"make.rb", []string{"ruby"}, 8, "ruby-bcrypt"},
		{"make.mjs", []string{"node"}, 40, "nodejs"},
		{"make.sh", []string{"sh"}, 60, "whois slapd openssl"},
	} {
		t.Run(s.script, func(t *testing.T) {
			out, err := exec.Command(s.command[0], append(s.command[1:], "testdata/"+s.script)...).Output()
			list := readMade(t, out)
			if err != nil || len(list) < s.least {
				needs(t, s.script, len(list), s.install)
			}
			for _, m := range list {
				checkMade(t, m)
			}
		})
	}
}

// needs skips a test that found only some of the programs; in CI it fails.
func needs(t *testing.T, script string, made int, install string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s made only %d hashes; apt-get install %s", script, made, install)
	}
	if made == 0 {
		t.Skipf("%s made no hashes; apt-get install %s", script, install)
	}
	t.Logf("%s made only %d hashes; apt-get install %s", script, made, install)
}
