package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/keys/masterkey"
	"signet/store"
	"signet/store/seal"
)

// testSeals are those of one master key.
var testSeals = seal.New([]masterkey.Key{masterkey.New()})

var day = time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)

var manifest = store.Manifest{Install: store.Install{ID: "install", Schema: 1, CreatedAt: day}, KeyringVersion: 3, Keyring: []byte{0, 254, 255}}

// oneOfEach is one of each, with what JSON likes to change.
func oneOfEach() []store.Record {
	user := store.UserID{1}
	return []store.Record{
		{Client: &store.Client{ID: "web<&>", Grants: []string{"password"}, Secrets: []store.Secret{{Hash: []byte{0xff}, CreatedAt: day}}, CreatedAt: day, UpdatedAt: day}},
		{User: &store.User{ID: user, Username: "ad\u2028a\ufffd", PasswordHash: "$argon2id$v=19$", CreatedAt: day, UpdatedAt: day,
			Claims: map[string]json.RawMessage{"n": json.RawMessage(`12345678901234567890.10`), "<": json.RawMessage(`["<\u003c"]`)}}},
		{Session: &store.Session{ID: store.SessionID{2}, UserID: user, ClientID: "web<&>", Generation: 1<<32 - 1, Replays: 1<<16 - 1, StartedAt: day, RotatedAt: day}},
		{RevokedToken: &store.RevokedToken{JTI: "jti", Until: day}},
		{UsedAssertion: &store.UsedAssertion{ID: store.AssertionID{3, 255}, Until: day}},
		{UsedCode: &store.UsedCode{UserID: store.UserID{1}, SessionID: store.SessionID{2}, Until: day}},
		{Event: &store.Event{Seq: 1, At: day, Type: "login", Outcome: "ok", Detail: map[string]string{"reason": "<\n>"}}},
	}
}

func writeArchive(t testing.TB, f store.Manifest, records []store.Record) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, testSeals, f, day)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if w.Bytes() != int64(out.Len()) {
		t.Errorf("the writer counts %d bytes, there are %d", w.Bytes(), out.Len())
	}
	return out.Bytes()
}

func readArchive(data []byte) (*Reader, []store.Record, error) {
	return readArchiveOf(testSeals, data)
}

func readArchiveOf(seals *seal.Keys, data []byte) (*Reader, []store.Record, error) {
	r, err := NewReader(bytes.NewReader(data), seals, false)
	if err != nil {
		return nil, nil, err
	}
	var records []store.Record
	for record, err := range r.Records() {
		if err != nil {
			return r, records, err
		}
		records = append(records, record)
	}
	return r, records, nil
}

func TestArchive(t *testing.T) {
	want := oneOfEach()
	data := writeArchive(t, manifest, want)
	r, got, err := readArchive(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !reflect.DeepEqual(r.Header.Manifest, manifest) || !r.Header.ExportedAt.Equal(day) {
		t.Errorf("header: got %+v", r.Header)
	}
	if want := (Counts{1, 1, 1, 1, 1, 1, 0, 1}); r.Trailer.Counts != want {
		t.Errorf("counts: got %+v, want %+v", r.Trailer.Counts, want)
	}
}

// TestFormat is for other programs that read it: version 2 stays as it is. What came to it later
// shows only where there is some.
func TestFormat(t *testing.T) {
	got := string(writeArchive(t, manifest, oneOfEach()[2:4]))
	want := `{"signet_export":2,"exported_at":"2026-03-04T05:06:07.008Z","foundation":{"install":{"id":"install","schema":1,"created_at":"2026-03-04T05:06:07.008Z"},"keyring_version":3,"keyring":"AP7/"}}
{"session":{"sid":"AgAAAAAAAAAAAAAAAAAAAA","sub":"usr_aeaaaaaaaaaaaaaaaaaaaaaaaa","client_id":"web<&>","generation":4294967295,"replays":65535,"started_at":"2026-03-04T05:06:07.008Z","rotated_at":"2026-03-04T05:06:07.008Z"}}
{"revoked_token":{"jti":"jti","until":"2026-03-04T05:06:07.008Z"}}
`
	want += fmt.Sprintf(`{"counts":{"clients":0,"users":0,"sessions":1,"revoked_tokens":1,"events":0},"sha256":"%x","mac":"%x"}`+"\n",
		sha256.Sum256([]byte(want)), archiveMAC(want))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	_, rest, _ := strings.Cut(string(writeArchive(t, manifest, oneOfEach()[4:5])), "\n")
	want = `{"spent_assertion":{"id":"A_8AAAAAAAAAAAAAAAAAAA","until":"2026-03-04T05:06:07.008Z"}}
{"counts":{"clients":0,"users":0,"sessions":0,"revoked_tokens":0,"spent_assertions":1,"events":0},"sha256":"`
	if !strings.HasPrefix(rest, want) {
		t.Errorf("with an assertion: got\n%s\nwant it to begin with\n%s", rest, want)
	}
}

// sealed is body with a trailer that fits it.
func sealed(body, counts string) string {
	digest := sha256.Sum256([]byte(body))
	return body + `{"counts":` + counts + `,"sha256":"` + hex.EncodeToString(digest[:]) + `","mac":"` + hex.EncodeToString(archiveMAC(body)) + `"}` + "\n"
}

func archiveMAC(body string) []byte {
	mac := testSeals.Hash(seal.Archive)
	mac.Write([]byte(body))
	return mac.Sum(nil)
}

func TestRefusals(t *testing.T) {
	good := string(writeArchive(t, manifest, oneOfEach()))
	header, _, _ := strings.Cut(good, "\n")
	header += "\n"
	trailer := good[strings.LastIndex(strings.TrimSuffix(good, "\n"), "\n")+1:]
	token := `{"revoked_token":{"jti":"a","until":"2026-03-04T05:06:07Z"}}` + "\n"
	none, one := `{}`, `{"revoked_tokens":1}`
	tests := map[string]struct{ text, want string }{
		"nothing":                 {"", "cut short"},
		"something else":          {"SQLite format 3\n", "not what `signet export` writes"},
		"other JSON":              {"{}\n", "not what `signet export` writes"},
		"a newer version":         {`{"signet_export":3,"shape":"new"}` + "\n", "version 3 of the format, and this signet reads version 2"},
		"version 0":               {`{"signet_export":0}` + "\n", "version 0"},
		"a header with more":      {sealed(strings.Replace(header, `"foundation"`, `"x":1,"foundation"`, 1), none), `unknown field "x"`},
		"no manifest":             {sealed(`{"signet_export":2,"exported_at":"2026-03-04T05:06:07Z"}`+"\n", none), "line 1: the install or its keyring is missing"},
		"no trailer":              {header + token, "cut short"},
		"half a trailer":          {good[:len(good)-9], "cut short"},
		"no last newline":         {good[:len(good)-1], "cut short"},
		"another byte":            {strings.Replace(good, "argon2id", "argon2iD", 1), "damaged or altered"},
		"a line less":             {header + trailer, "damaged or altered"},
		"a line more":             {good[:len(good)-len(trailer)] + token + trailer, "damaged or altered"},
		"another count":           {sealed(header+token, `{"revoked_tokens":2}`), "the counts are not those"},
		"counts without digest":   {header + `{"counts":{}}` + "\n", "neither a record nor counts and digest"},
		"digest without counts":   {header + `{"sha256":""}` + "\n", "neither a record nor counts and digest"},
		"a record in the end":     {header + strings.TrimSuffix(strings.TrimSpace(token), "}") + `,"counts":{},"sha256":""}` + "\n", "neither a record nor counts and digest"},
		"something behind":        {good + "\n", "something comes after"},
		"two archives":            {good + good, "something comes after"},
		"an empty line":           {sealed(header+"\n", none), "line 2: it is empty"},
		"no record":               {sealed(header+"{}\n", none), "line 2: it is not exactly one record"},
		"null":                    {sealed(header+"null\n", none), "line 2: it is not exactly one record"},
		"two records in a line":   {sealed(header+`{"user":{},"client":{}}`+"\n", none), "line 2: it is not exactly one record"},
		"two values in a line":    {sealed(header+strings.TrimSpace(token)+token, one), "line 2: something comes after its value"},
		"an unknown kind":         {sealed(header+`{"key":{}}`+"\n", none), `line 2: json: unknown field "key"`},
		"an unknown field":        {sealed(header+`{"session":{"scope":"x"}}`+"\n", none), `line 2: json: unknown field "scope"`},
		"a bad id":                {sealed(header+`{"user":{"id":"usr_x"}}`+"\n", none), "line 2: "},
		"a value that is too big": {sealed(header+`{"session":{"replays":65536}}`+"\n", none), "line 2: "},
		"a line that is too long": {header + strings.Repeat(" ", MaxLine) + token, "line 2 is longer than 16777216 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := readArchive([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestCut: an archive that breaks off anywhere is not one.
func TestCut(t *testing.T) {
	data := writeArchive(t, manifest, oneOfEach())
	for n := range data {
		if _, _, err := readArchive(data[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for an archive", n, len(data))
		}
	}
}

// What could not be read again is not written.
func TestWriterRefuses(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for name, r := range map[string]store.Record{
		"nothing":         {},
		"two things":      {Client: &store.Client{}, User: &store.User{}},
		"bad username":    {User: &store.User{Username: "\xff"}},
		"bad hash":        {User: &store.User{PasswordHash: "\xff"}},
		"bad claim":       {User: &store.User{Claims: map[string]json.RawMessage{"\xff": json.RawMessage("1")}}},
		"a claim no JSON": {User: &store.User{Claims: map[string]json.RawMessage{"a": json.RawMessage("{")}}},
		"bad client":      {Session: &store.Session{ClientID: "\xff"}},
		"bad jti":         {RevokedToken: &store.RevokedToken{JTI: "\xff"}},
		"a long record":   {Client: &store.Client{ID: long}},
	} {
		w, err := NewWriter(io.Discard, testSeals, manifest, day)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(r); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if _, err := NewWriter(brokenWriter{}, testSeals, manifest, day); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a full disk: got %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// FuzzReader asks that damage is an error, never a panic, and that what is accepted can be written
// and read again as the same.
func FuzzReader(f *testing.F) {
	good := writeArchive(f, manifest, oneOfEach())
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(writeArchive(f, manifest, nil))
	f.Add([]byte(`{"signet_export":2}` + "\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _, _ = readArchive(body)
		// The digest keeps almost everything out, so the same bytes are tried with one that fits.
		var counts Counts
		for text := range bytes.Lines(body) {
			var l line
			if json.Unmarshal(text, &l) == nil {
				counts.add(l.Record)
			}
		}
		text, err := json.Marshal(counts)
		if err != nil {
			t.Fatal(err)
		}
		r, records, err := readArchive([]byte(sealed(string(body), string(text))))
		if err != nil {
			return
		}
		once := writeArchive(t, r.Header.Manifest, records)
		_, again, err := readArchive(once)
		if err != nil {
			t.Fatalf("written again it is not read: %v", err)
		}
		if twice := writeArchive(t, r.Header.Manifest, again); !bytes.Equal(once, twice) {
			t.Errorf("got\n%s\nafter\n%s", twice, once)
		}
	})
}

// TestEdited: an export that was edited, with a digest that fits again, is refused; so is one whose
// MAC was taken away, unless the operator takes it all the same.
func TestEdited(t *testing.T) {
	good := string(writeArchive(t, manifest, oneOfEach()))
	body := good[:strings.LastIndex(strings.TrimSuffix(good, "\n"), "\n")+1]
	trailer := good[len(body):]
	redigest := func(body, trailer string) string {
		var old Trailer
		if err := json.Unmarshal([]byte(trailer), &old); err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(body))
		return body + strings.Replace(trailer, old.SHA256, hex.EncodeToString(digest[:]), 1)
	}
	if _, _, err := readArchive([]byte(redigest(body, trailer))); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	edited := strings.Replace(body, `"client_id":"web<&>"`, `"client_id":"evil>"`, 1)
	if edited == body {
		t.Fatal("nothing was edited")
	}
	if _, _, err := readArchive([]byte(redigest(edited, trailer))); err == nil || !strings.Contains(err.Error(), "they were edited") {
		t.Errorf("edited: got %v", err)
	}
	other := seal.New([]masterkey.Key{masterkey.New()})
	if _, _, err := readArchiveOf(other, []byte(good)); err == nil || !strings.Contains(err.Error(), "under this master key") {
		t.Errorf("with another master key: got %v", err)
	}
	older := strings.Replace(edited, `{"signet_export":2,`, `{"signet_export":1,`, 1)
	if _, _, err := readArchive([]byte(redigest(older, trailer))); err == nil || !strings.Contains(err.Error(), "--unverified") {
		t.Errorf("as an older version: got %v", err)
	}
	r, err := NewReader(strings.NewReader(redigest(older, trailer)), testSeals, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range r.Records() {
		if err != nil {
			t.Errorf("as an older version, with --unverified: %v", err)
		}
	}
}
