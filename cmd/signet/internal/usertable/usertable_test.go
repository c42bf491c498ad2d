package usertable_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"signet/cmd/signet/internal/usertable"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// render writes what was read as text, a line a row.
func render(in io.Reader, o usertable.Options) string {
	o.Now = now
	var b strings.Builder
	r, err := usertable.New(in, o)
	if err != nil {
		return fmt.Sprintf("cannot be read: %v\n", err)
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Fprintf(&b, "ends: %v\n", err)
			break
		}
		fmt.Fprintf(&b, "%d %q %q %s\n", row.Line, row.Username, row.ID, row.Record)
		if row.Err != nil {
			fmt.Fprintf(&b, "  refused: %v\n", row.Err)
		}
		if row.Text != "" {
			fmt.Fprintf(&b, "  text: %q\n", row.Text)
		}
		for _, f := range row.Factors {
			fmt.Fprintf(&b, "  factor: %+v\n", f)
		}
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(&b, "left out: %d\n", r.LeftOut)
	}
	if r.Converted() {
		b.WriteString("converted\n")
	}
	for _, name := range r.Unused() {
		fmt.Fprintf(&b, "in no user: %s\n", name)
	}
	return b.String()
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFormats: files as other systems write them, and the lines of an import that they become. Django's are from
// dumpdata itself.
func TestFormats(t *testing.T) {
	claim := func(name, field string) usertable.Claim { return usertable.Claim{Name: name, Field: field} }
	for _, c := range []struct {
		golden, file string
		options      usertable.Options
	}{
		{"signet", "signet.ndjson", usertable.Options{Format: "signet"}},
		{"signet-scheme", "signet.ndjson", usertable.Options{Format: "signet", Scheme: "bcrypt"}},
		{"signet-array", "signet.json", usertable.Options{Format: "signet"}},
		{"csv", "table.csv", usertable.Options{Format: "csv", Username: "Mail", ID: "Number", Disabled: "!Active", Roles: "groups", RolesClaim: "teams",
			Claims: []usertable.Claim{claim("name", "full_name"), {Name: "tags", Field: "Tags", JSON: true}}}},
		{"csv-no-username", "table.csv", usertable.Options{Format: "csv"}},
		{"csv-no-column", "table.csv", usertable.Options{Format: "csv", Username: "mail", Claims: []usertable.Claim{claim("x", "Surname")}}},
		{"aspnet", "aspnet.csv", usertable.Options{Format: "aspnet"}},
		{"auth0", "auth0.ndjson", usertable.Options{Format: "auth0", Claims: []usertable.Claim{claim("email", "email"), claim("verified", "email_verified"), claim("plan", "app_metadata.plan"),
			claim("typo", "emial")}}},
		{"django", "django.json", usertable.Options{Format: "django", Claims: []usertable.Claim{claim("family_name", "last_name"), claim("staff", "is_staff")}}},
		{"django", "django.jsonl", usertable.Options{Format: "django", Claims: []usertable.Claim{claim("family_name", "last_name"), claim("staff", "is_staff")}}},
		{"firebase", "firebase.json", usertable.Options{Format: "firebase", HashConfig: string(file(t, "firebase-hash-config.txt")), Claims: []usertable.Claim{claim("level", "customAttributes.level")}}},
		{"firebase-no-config", "firebase.json", usertable.Options{Format: "firebase"}},
		{"keycloak", "keycloak.json", usertable.Options{Format: "keycloak", Claims: []usertable.Claim{claim("number", "attributes.customer.number.0"), claim("web", "clientRoles.web")}}},
		{"keycloak-email", "keycloak.json", usertable.Options{Format: "keycloak", Username: "email", Realm: "shop"}},
		{"keycloak-other-realm", "keycloak.json", usertable.Options{Format: "keycloak", Realm: "bank"}},
		{"supabase", "supabase.csv", usertable.Options{Format: "supabase", Claims: []usertable.Claim{claim("name", "raw_user_meta_data.full_name")}}},
		{"wordpress-csv", "wordpress.csv", usertable.Options{Format: "wordpress"}},
		{"wordpress-sql", "wordpress.sql", usertable.Options{Format: "wordpress", Claims: []usertable.Claim{claim("name", "display_name")}}},
		{"no-format", "table.csv", usertable.Options{Format: "mysql"}},
	} {
		t.Run(c.golden+" "+c.file, func(t *testing.T) {
			got := render(bytes.NewReader(file(t, c.file)), c.options)
			golden := filepath.Join("testdata", "golden", c.golden+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// utf16File is the text as Windows writes it.
func utf16File(text string, bigEndian bool) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		if bigEndian {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

// TestEncodings: plain, packed, with and without a byte order mark, UTF-16.
func TestEncodings(t *testing.T) {
	const text = "username,password_hash\r\nann,x\r\nbén,y\r\n"
	want := render(strings.NewReader(text), usertable.Options{Format: "csv"})
	if strings.Count(want, "\n") != 2 {
		t.Fatalf("got %s", want)
	}
	for name, data := range map[string][]byte{
		"gzip": gzipped(t, []byte(text)), "two gzip members": append(gzipped(t, []byte(text[:30])), gzipped(t, []byte(text[30:]))...),
		"mark": []byte("\ufeff" + text), "mark and gzip": gzipped(t, []byte("\ufeff"+text)),
	} {
		if got := render(bytes.NewReader(data), usertable.Options{Format: "csv"}); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	for name, data := range map[string][]byte{"UTF-16LE": utf16File(text, false), "UTF-16BE": utf16File(text, true), "UTF-16 and gzip": gzipped(t, utf16File(text, false))} {
		if got := render(bytes.NewReader(data), usertable.Options{Format: "csv"}); got != want+"converted\n" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	for part, data := range map[string]string{"UTF-16 without": "u\x00s\x00e\x00r\x00", "UTF-32": "\xff\xfe\x00\x00u\x00", "spreadsheet": "PK\x03\x04..", "not with gzip": "BZh91AY",
		"gzip file": "\x1f\x8bbroken"} {
		if got := render(strings.NewReader(data), usertable.Options{Format: "csv"}); !strings.HasPrefix(got, "cannot be read") || !strings.Contains(got, part) {
			t.Errorf("%s: got %s", part, got)
		}
	}
}

// TestDamagedFiles: what a damaged file gives before the damage stays, and the message is about the file.
func TestDamagedFiles(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	for _, c := range []struct {
		name, format, data string
		rows               int
		part               string
	}{
		{"empty", "csv", "", 0, "is empty"},
		{"empty", "signet", "", 0, ""},
		{"empty", "keycloak", "", 0, "not JSON"},
		{"JSON", "csv", `[{"username":"a"}]`, 0, "is JSON and not CSV"},
		{"a column twice", "csv", "id,b,id\n", 0, "names column 3 as one before it; Its columns are id, b, id"},
		{"a member twice", "signet", `{"username":"a","username":"b"}`, 1, `the member "username" is there twice`},
		{"a member twice in claims", "signet", "[{\"username\":\"a\",\"claims\":{\"x\":1,\"x\":2}}]", 1, `the member "x" is there twice`},
		{"users twice", "keycloak", `{"users":[{"username":"a"}],"x":[1],"users":[{"username":"b"}]}`, 1, `"users" twice`},
		{"a quote that is not closed", "csv", "username,hash\nz,x\na,\"x\nb,y\nc,y\n", 1, "a quote opens in the record at line 3 and is not closed rightly up to line"},
		{"a quote that another closes", "csv", "username,hash\nz,x\na,\"x\nb,y\nc,\"y\nd,z\n", 1, "record at line 3"},
		{"the same, long", "csv", "username,hash\na,x\nb,\"" + long, 1, "longer than 1024 KiB"},
		{"bare quote", "csv", "username,hash\na,x\"y\nb,z\n", 2, "a quote is not closed"},
		{"Latin-1", "csv", "username,hash\nb\xe9n,x\nann,y\n", 2, "not UTF-8"},
		{"a long line", "signet", `{"username":"a"}` + "\n" + long + "\n" + `{"username":"b"}`, 3, "longer than 1024 KiB"},
		{"a long record", "signet", `{"username":"a","claims":{"x":"` + long[:100_000] + `"}}` + "\n" + `{"username":"b"}`, 2, "more than 60 KiB"},
		{"not UTF-8", "signet", "{\"username\":\"b\xe9n\"}\n", 1, "not UTF-8"},
		{"cut", "signet", `{"username":"a"}` + "\n" + `{"username":"b`, 2, "ends too early"},
		{"two on a line", "signet", `{"username":"a"}{"username":"b"}`, 1, "something follows"},
		{"many lines an object", "signet", "{\n  \"username\": \"a\"\n}\n{\n  \"username\": \"b\"\n}\n", 2, ""},
		{"an array that is cut", "signet", `[{"username":"a"},{"username":"b"`, 1, "ends in the middle, after record 1"},
		{"an array with more", "signet", `[{"username":"a"}] x`, 1, "something follows"},
		{"an array that is broken", "signet", `[{"username":"a"} {"username":"b"}]`, 1, "not valid JSON after record 1"},
		{"a long object", "signet", `[{"username":"a"},{"username":"` + long + `"}]`, 1, "longer than 1024 KiB"},
		{"a cut export", "keycloak", `{"realm":"r","users":[{"username":"a"},{"user`, 1, "ends in the middle"},
		{"a cut end", "keycloak", `{"realm":"r","users":[{"username":"a"}],"clients":[`, 1, "ends in the middle"},
		{"no users", "keycloak", `{"realm":"r","clients":[]}`, 0, `no "users"`},
		{"realms", "keycloak", `[{"realm":"r","users":[{"username":"a"}]}]`, 0, "several realms"},
		{"cut SQL", "wordpress", "INSERT INTO wp_users VALUES (1,'a','x','','','','','',0,''),(2,'b", 1, "ends in the middle of a statement, at line 1"},
		{"a long value", "wordpress", "INSERT INTO wp_users VALUES (1,'" + long, 0, "longer than 1024 KiB"},
	} {
		t.Run(c.name+" "+c.format, func(t *testing.T) {
			got := render(strings.NewReader(c.data), usertable.Options{Format: c.format})
			rows := 0
			for line := range strings.Lines(got) {
				if line[0] >= '0' && line[0] <= '9' {
					rows++
				}
			}
			if rows != c.rows || !strings.Contains(got, c.part) || c.part == "" && strings.Contains(got, ":  ") {
				t.Errorf("got %.600s, want %d rows and %q", got, c.rows, c.part)
			}
		})
	}
	packed := gzipped(t, bytes.Repeat([]byte("{\"username\":\"a\"}\n"), 1000))
	if got := render(bytes.NewReader(packed[:len(packed)-9]), usertable.Options{Format: "signet"}); !strings.Contains(got, "unexpected EOF") {
		t.Errorf("a cut gzip file: got %.200s", got[max(0, len(got)-200):])
	}
}

// TestRealms: of several realms one is chosen.
func TestRealms(t *testing.T) {
	const export = `[{"id":"1","realm":"master","users":[{"username":"root"}],"x":{}},{"realm":"shop","users":[{"username":"ann"}],"y":[]},{"realm":"z","users":[]}]`
	got := render(strings.NewReader(export), usertable.Options{Format: "keycloak", Realm: "shop"})
	if got != `1 "ann" "" {"username":"ann"}`+"\n" {
		t.Errorf("got %s", got)
	}
	if got := render(strings.NewReader(export), usertable.Options{Format: "keycloak", Realm: "bank"}); !strings.Contains(got, `no users of the realm "bank"`) {
		t.Errorf("got %s", got)
	}
}

func TestHashConfig(t *testing.T) {
	good := string(file(t, "firebase-hash-config.txt"))
	for name, text := range map[string]string{"as JSON": `{"algorithm":"SCRYPT","base64_signer_key":"AAAA","base64_salt_separator":"Bw==","rounds":8,"mem_cost":14}`} {
		if _, err := usertable.New(strings.NewReader(`{"users":[]}`), usertable.Options{Format: "firebase", HashConfig: text}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for part, text := range map[string]string{"HMAC_SHA256": strings.Replace(good, "SCRYPT", "HMAC_SHA256", 1), "base64_signer_key": strings.Replace(good, "jxspr8", "*", 1),
		"rounds": strings.Replace(good, "rounds: 8", "rounds: eight", 1), "mem_cost": strings.Replace(good, "mem_cost", "cost", 1), "has no": "nothing"} {
		if _, err := usertable.New(strings.NewReader(`{"users":[]}`), usertable.Options{Format: "firebase", HashConfig: text}); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %s", err, part)
		}
	}
}

// TestFirstLineIsNotShown: of a table without a header the first line is a user, whose hash must not reach a terminal.
func TestFirstLineIsNotShown(t *testing.T) {
	for _, format := range []string{"csv", "supabase", "aspnet", "wordpress"} {
		for _, first := range []string{"pl3,hunter4 secret", "ann,hunter", "ann@example.com,secret", "id,5f4dcc3b5aa765d61d8327deb882cf99", "ann,secret,secret", "7,ann,secret",
			"user,$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "user, p4ss word", "login,hunter22"} {
			got := render(strings.NewReader(first+"\n"), usertable.Options{Format: format})
			_, secret, _ := strings.Cut(first, ",")
			if !strings.HasPrefix(got, "cannot be read") || strings.Contains(got, secret) || strings.Contains(got, "Its columns") {
				t.Errorf("%s %s: got %s", format, first, got)
			}
		}
	}
	if got := render(strings.NewReader("Number;Mail;Full name\n"), usertable.Options{Format: "csv"}); !strings.Contains(got, "Its columns are Number, Mail, Full name") {
		t.Errorf("got %s", got)
	}
}
