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
	if r.LateRoles() {
		b.WriteString("roles behind users\n")
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
		{"wordpress-create", "wordpress-create.sql", usertable.Options{Format: "wordpress", Claims: []usertable.Claim{claim("name", "display_name")}}},
		{"csv-alias", "table.csv", usertable.Options{Format: "csv", Username: "number", Aliases: []string{"mail"}}},
		{"csv-no-alias", "table.csv", usertable.Options{Format: "csv", Username: "mail", Aliases: []string{"handle"}}},
		{"wordpress-alias", "wordpress.sql", usertable.Options{Format: "wordpress", Aliases: []string{"user_email"}}},
		{"wordpress-roles", "wordpress-roles.sql", usertable.Options{Format: "wordpress"}},
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
		{"JSON", "csv", `[{"username":"a"}]`, 0, "is no CSV. It looks like other JSON"},
		{"no users", "signet", "[]", 0, ""},
		{"no users", "csv", "username,hash\n", 0, ""},
		{"no users", "firebase", `{"users":[]}`, 0, ""},
		{"lines above", "signet", "\n\n{\"username\":\"a\"}\nx\n", 2, "\n4 \"\""},
		{"lines above", "csv", "\n\nusername,hash\na,x\nb\n", 2, "\n5 \"\""},
		{"lines above", "wordpress", "\n\nINSERT INTO wp_users (user_login) VALUES ('a'),\n(1,2)", 2, "\n4 \"\" \"\" \n  refused: row 2 of the statement at line 3: values: 2, columns of the table: 1"},
		{"a column twice", "csv", "id,b,id\n", 0, "names column 3 as one before it; Its columns are id, b, id"},
		{"a member twice", "signet", `{"username":"a","username":"b"}`, 1, `the member "username" is there twice`},
		{"a member twice in claims", "signet", "[{\"username\":\"a\",\"claims\":{\"x\":1,\"x\":2}}]", 1, `the member "x" is there twice`},
		{"users twice", "keycloak", `{"users":[{"username":"a"}],"x":[1],"users":[{"username":"b"}]}`, 1, `"users" twice`},
		{"a quote that is not closed", "csv", "username,hash\nz,x\na,\"x\nb,y\nc,y\n", 1, "a quote opens in the record at line 3 and is not closed rightly up to line"},
		{"a quote that another closes", "csv", "username,hash\nz,x\na,\"x\nb,y\nc,\"y\nd,z\n", 1, "record at line 3"},
		{"the same, long", "csv", "username,hash\na,x\nb,\"" + long, 1, "longer than 1024 KiB"},
		{"bare quote", "csv", "username,hash\na,x\"y\nb,z\n", 2, "a quote is not closed"},
		{"Latin-1", "csv", "id,username,hash\n1,b\xe9n,x\n2,ann,y\n", 2, "the field username in line 2 is not UTF-8. If the file is in Latin-1 or Windows-1252, convert it first: `iconv"},
		{"Latin-1 behind a line end", "csv", "id,username,hash\n\"1\n\n\",b\xe9n,x\n2,ann,y\n", 2, "the field username in line 4 is not UTF-8"},
		{"Latin-1 behind the username", "csv", "username,hash,name\nann,x,\xe9\n", 1, "2 \"ann\" \"\" \n  refused: the field name in line 2"},
		{"Latin-1 behind the username", "wordpress", "INSERT INTO wp_users (user_login,x) VALUES ('ann','\xe9');", 1, "1 \"ann\" \"\" \n  refused: row 1"},
		{"Latin-1 in the first line", "csv", "pr\xe9nom,username,hash\n", 0, "column 1 of the first line is not UTF-8. If"},
		{"Latin-1", "wordpress", "INSERT INTO wp_users (ID,user_login) VALUES (1,'a'),(2,'b\xe9n'),(3,'c')", 3, "row 2 of the statement at line 1: the value of user_login is not UTF-8. If the file"},
		{"a long line", "signet", `{"username":"a"}` + "\n" + long + "\n" + `{"username":"b"}`, 3, "longer than 1024 KiB"},
		{"a long record", "signet", `{"username":"a","claims":{"x":"` + long[:100_000] + `"}}` + "\n" + `{"username":"b"}`, 2, "more than 60 KiB"},
		{"not UTF-8", "signet", "{\"username\":\"b\xe9n\"}\n", 1, "it is not UTF-8. If the file"},
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
	for _, format := range usertable.Formats() {
		for name, data := range map[string]string{"empty": "", "white space": "\n \r\n\t", "a mark": "\ufeff", "packed": string(gzipped(t, nil))} {
			if got := render(strings.NewReader(data), usertable.Options{Format: format}); got != "cannot be read: the file is empty\n" {
				t.Errorf("%s, %s: got %s", format, name, got)
			}
		}
	}
}

// TestDamagedGzip: the message is about the packed file and not about the text in it.
func TestDamagedGzip(t *testing.T) {
	record := map[string]string{"signet": `{"username":"a%d"}` + "\n", "csv": "a%d,x\n", "keycloak": `{"username":"a%d"},`, "wordpress": "INSERT INTO wp_users (user_login) VALUES ('a%d');\n"}
	for format, first := range map[string]string{"signet": "", "csv": "username,hash\n", "keycloak": `{"realm":"r","users":[`, "wordpress": "-- dump\n"} {
		var b strings.Builder
		b.WriteString(first)
		for i := range 5000 {
			fmt.Fprintf(&b, record[format], i)
		}
		packed := gzipped(t, []byte(b.String()))
		for _, cut := range []int{5, 10, 15, len(packed) / 2, len(packed) - 9, len(packed) - 1} {
			if got := render(bytes.NewReader(packed[:cut]), usertable.Options{Format: format}); !strings.Contains(got, "the gzip file is cut: it ends before its end\n") {
				t.Errorf("%s, cut at %d of %d: got %.200s", format, cut, len(packed), got[max(0, len(got)-200):])
			}
		}
		wrong := bytes.Clone(packed)
		wrong[len(wrong)-6] ^= 1
		if got := render(bytes.NewReader(wrong), usertable.Options{Format: format}); !strings.Contains(got, "the gzip file is damaged\n") {
			t.Errorf("%s, wrong checksum: got %.200s", format, got[max(0, len(got)-200):])
		}
	}
}

// TestOtherKinds: a file of another kind is one error, which names its kind, and not one for each line.
func TestOtherKinds(t *testing.T) {
	files := map[string]string{"signet": "signet.ndjson", "csv": "table.csv", "auth0": "auth0.ndjson", "django": "django.json", "firebase": "firebase.json", "keycloak": "keycloak.json",
		"wordpress": "wordpress.sql"}
	looks := map[string]string{"signet": "username; choose --format signet", "csv": "looks like CSV; choose --format csv", "auth0": "Auth0; choose --format auth0", "django": "--format django",
		"firebase": "--format firebase", "keycloak": "--format keycloak", "wordpress": "looks like a dump in SQL; choose another format with --format"}
	for _, format := range usertable.Formats() {
		for kind, name := range files {
			data := file(t, name)
			isCSV := format == "aspnet" || format == "supabase" || format == "csv" || format == "wordpress"
			if kind == format || kind == "csv" && isCSV {
				continue
			}
			got := render(bytes.NewReader(data), usertable.Options{Format: format})
			if strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "cannot be read: the file is no ") || !strings.Contains(got, looks[kind]) {
				t.Errorf("%s as %s: got %.300s", kind, format, got)
			}
		}
	}
	for _, c := range []struct{ format, data, part string }{
		{"django", `{"username":"ann"}`, "the file is no dumpdata of Django, whose objects have model and fields. It looks like other JSON"},
		{"django", `[{"model":"x","fields":{}}]`, ""},
		{"keycloak", `{"users":[{"id":"1","email":"a","username":"ann"}]}`, ""},
		{"signet", `{"line":1,"reason":"x","text":"{}"}`, ""},
		{"csv", "<html>", "looks like HTML or XML"},
		{"csv", "start date,username,hash\n", ""},
		{"auth0", "just text", "looks like text that is not JSON"},
		{"signet", `{"claims":{"realm":"x","model":1,"fields":2},"username":"ann"}`, ""},
	} {
		got := render(strings.NewReader(c.data), usertable.Options{Format: c.format})
		if refused := strings.HasPrefix(got, "cannot be read: the file is no "); refused != (c.part != "") || !strings.Contains(got, c.part) {
			t.Errorf("%s as %s: got %s", c.data, c.format, got)
		}
	}
}

// TestNoHash: a table without passwords is one where that is said.
func TestNoHash(t *testing.T) {
	for format, data := range map[string]string{"csv": "username,id\nann,7\n", "supabase": "email,id\nann,7\n", "aspnet": "UserName,Id\nann,7\n", "wordpress": "user_login,ID\nann,7\n"} {
		if got := render(strings.NewReader(data), usertable.Options{Format: format}); !strings.Contains(got, "--no-hash or --not-moved") {
			t.Errorf("%s: got %s", format, got)
		}
		if got := render(strings.NewReader(data), usertable.Options{Format: format, NoHash: true}); got != `2 "ann" "7" {"username":"ann","id":"7"}`+"\n" {
			t.Errorf("%s: got %s", format, got)
		}
		if got := render(strings.NewReader(data), usertable.Options{Format: format, NoHash: true, Hash: "pw"}); !strings.Contains(got, `no column "pw"`) {
			t.Errorf("%s: got %s", format, got)
		}
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

// TestRefusedTextComesBack: what could not be read can be mended in the report, and stays refused with its text until it is.
func TestRefusedTextComesBack(t *testing.T) {
	const report = `{"line":1,"reason":"it is not valid JSON","text":"{\"username\":\"ann\""}` + "\n" + `{"line":2,"reason":"x","text":"{\"username\":\"ben\",\"id\":7}"}` +
		"\n" + `{"line":3,"reason":"the row is broken"}` + "\n"
	got := render(strings.NewReader(report), usertable.Options{Format: "signet"})
	for _, part := range []string{"1 \"\" \"\" \n  refused: the record could not be read before", `text: "{\"username\":\"ann\""`, `2 "ben" "7" {"id":7,"username":"ben"}` + "\n3", "3 \"\" \"\" \n  refused"} {
		if !strings.Contains(got, part) {
			t.Errorf("got %s, want %s", got, part)
		}
	}
	long := render(strings.NewReader(`{"username":"`+strings.Repeat("x", 2<<20)), usertable.Options{Format: "signet"})
	if !strings.Contains(long, `text: "{\"username\":\"xxx`) || len(long) > 2000 {
		t.Errorf("got %.200s", long)
	}
}
