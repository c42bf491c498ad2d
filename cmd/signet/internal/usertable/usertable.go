package usertable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"signet/server/admin/api"
)

// Options say what is taken from a table. Zero values are what the format has by default.
type Options struct {
	Format     string    // one of Formats
	Username   string    // field of the username
	Aliases    []string  // fields of further names to log in with
	ID         string    // field of the id in the old system
	Hash       string    // column of the password hash; of csv
	NoHash     bool      // a table may have no column of hashes
	Disabled   string    // field that is true for users who may not sign in; with ! in front, for those who may
	Roles      string    // field of the roles
	RolesClaim string    // claim that gets them; empty: "roles"
	Claims     []Claim   // further claims
	Scheme     string    // hash_scheme of every hash that does not have its own
	HashConfig string    // parameters of a Firebase project, as its console shows them
	Realm      string    // of a Keycloak export with several
	Now        time.Time // a block that ended before is none
}

// Claim is a claim that is taken from a field.
type Claim struct {
	Name, Field string
	JSON        bool // text in the field is JSON
}

// Row is a user of a table, or a record that is none.
type Row struct {
	Line     int    // where it begins in the file; of an array, its number
	Username string // as the file has it
	ID       string // in the old system
	Record   []byte // a line of an import, without its line end
	Factors  []Factor
	Err      error  // it cannot be sent
	Text     string // the record in the file, where Err is that it cannot be read
}

// Factor is a second factor of a user.
type Factor struct {
	Type      string `json:"type"`   // totp or hotp
	Secret    string `json:"secret"` // base32 without padding, as authenticators take it
	Algorithm string `json:"algorithm"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period,omitempty"`  // seconds, of totp
	Counter   int64  `json:"counter,omitempty"` // of hotp
	Label     string `json:"label,omitempty"`
}

// maxRecord bounds a record in the file, and maxLine a line that is sent, in bytes.
const (
	maxRecord = 1 << 20
	maxLine   = 60 << 10
	cutText   = 1 << 10 // of a record that is too long, for its Row.Text
)

// source returns the records of a file one by one. It ends with io.EOF. A *recordError concerns one record only, and
// any other error all that is behind it.
type source interface {
	next() (rec map[string]any, line int, err error)
}

// recordError is about one record.
type recordError struct {
	text string
	err  error
	rec  map[string]any // what could be read of it; nil: nothing
}

func (e *recordError) Error() string { return e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

// format is how one system writes its users.
type format struct {
	open     func(in *input, r *Reader) (source, error)
	username []string // fields, of which the first counts that is not empty
	id       []string
	hash     []string
	disabled []string // true in any of them disables
	roles    []string
	scheme   string
	// otherName is a further field of names, which can be asked for.
	otherName string
	// convert does what is special. It may take the row out.
	convert func(r *Reader, rec map[string]any, u *api.UserRecord, row *Row) error
}

var errLeftOut = errors.New("not a person")

func formats() map[string]format {
	return map[string]format{
		"signet": {open: openJSON},
		"csv": {open: openCSV, username: []string{"username", "user", "login", "email"}, id: []string{"id", "user_id"},
			hash: []string{"password_hash", "password", "encrypted_password", "hash"}, disabled: []string{"disabled", "blocked", "!is_active", "!active", "!enabled"}},
		"aspnet": {open: openCSV, username: []string{"UserName", "Email"}, id: []string{"Id"}, hash: []string{"PasswordHash"}, scheme: "aspnet", otherName: "Email",
			convert: convertASPNET},
		"auth0": {open: openJSON, username: []string{"email", "Email", "username", "Username", "phone_number"}, id: []string{"user_id", "Id"},
			disabled: []string{"blocked", "Blocked"},
			roles:    []string{"app_metadata.roles"}, convert: convertAuth0},
		"django": {open: openJSON, username: []string{"username", "email"}, id: []string{"pk"}, disabled: []string{"!is_active"}, roles: []string{"groups"},
			otherName: "email", convert: convertDjango},
		"firebase": {open: openUsers, username: []string{"email", "phoneNumber"}, id: []string{"localId"}, disabled: []string{"disabled"},
			roles: []string{"customAttributes.roles"}, convert: convertFirebase},
		"keycloak": {open: openUsers, username: []string{"username"}, id: []string{"id"}, disabled: []string{"!enabled"}, roles: []string{"realmRoles"},
			otherName: "email", convert: convertKeycloak},
		"supabase": {open: openCSV, username: []string{"email", "phone"}, id: []string{"id"}, hash: []string{"encrypted_password"},
			roles: []string{"raw_app_meta_data.roles"}, convert: convertSupabase},
		"wordpress": {open: openWordPress, username: []string{"user_login", "user_email"}, id: []string{"ID"}, hash: []string{"user_pass"},
			disabled: []string{"spam", "deleted"}, roles: []string{"roles"}, otherName: "user_email",
			convert: convertWordPress},
	}
}

// Formats are the names of all formats.
func Formats() []string { return slices.Sorted(maps.Keys(formats())) }

// Reader reads a table.
type Reader struct {
	opts    Options
	format  format
	in      *input
	source  source
	signer  *firebaseConfig
	groups  map[string]string // of Django: names by id, from earlier records
	found   map[string]bool   // claims that a user had
	noHash  bool              // the file has no column of hashes
	LeftOut int               // records that are no people: groups, accounts of services

	lateRoles bool // roles stand behind users in the file
}

// New begins to read a table. Its errors name what is wrong with the options or with the beginning of the file.
func New(in io.Reader, o Options) (*Reader, error) {
	f, ok := formats()[o.Format]
	if !ok {
		return nil, fmt.Errorf("there is no format %q; there are %s", o.Format, strings.Join(Formats(), ", "))
	}
	r := &Reader{opts: o, format: f, found: map[string]bool{}}
	if o.RolesClaim == "" {
		r.opts.RolesClaim = "roles"
	}
	for _, choice := range []struct {
		option string
		fields *[]string
	}{{o.Username, &r.format.username}, {o.ID, &r.format.id}, {o.Hash, &r.format.hash}, {o.Disabled, &r.format.disabled}, {o.Roles, &r.format.roles}} {
		if choice.option != "" {
			*choice.fields = []string{choice.option}
		}
	}
	if o.Scheme != "" {
		r.format.scheme = o.Scheme
	}
	if o.HashConfig != "" {
		signer, err := parseFirebaseConfig(o.HashConfig)
		if err != nil {
			return nil, err
		}
		r.signer = signer
	}
	text, err := openInput(in)
	if err != nil {
		return nil, err
	}
	r.in = text
	if err := checkKind(text, o.Format); err != nil {
		return nil, err
	}
	if r.source, err = f.open(text, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Converted reports whether the file is in UTF-16 and is converted.
func (r *Reader) Converted() bool { return r.in.converted }

// NoHash reports whether the file has no column of password hashes.
func (r *Reader) NoHash() bool { return r.noHash }

// LateRoles reports whether the file has roles behind users who were read without them by then.
func (r *Reader) LateRoles() bool { return r.lateRoles }

// OtherName returns the field that takes the place of the username where that cannot be one here; "" where the format has none,
// or the username is of a field that was chosen.
func (r *Reader) OtherName() string {
	if r.opts.Username != "" {
		return ""
	}
	return r.format.otherName
}

// Unused returns the claims of the options that no user had so far.
func (r *Reader) Unused() []string {
	var names []string
	for _, c := range r.opts.Claims {
		if !r.found[c.Name] {
			names = append(names, c.Name)
		}
	}
	return names
}

// Next returns the next user. io.EOF is the end of the file. Any other error ends the table before its end.
func (r *Reader) Next() (Row, error) {
	for {
		rec, line, err := r.source.next()
		row := Row{Line: line}
		if one, ok := errors.AsType[*recordError](err); ok {
			row.Err, row.Text, row.Username = one, one.text, first(one.rec, r.format.username)
			return row, nil
		}
		if err != nil {
			return row, err
		}
		if r.opts.Format == "signet" {
			row.Err = r.pass(rec, &row)
		} else {
			row.Err = r.user(rec, &row)
		}
		if errors.Is(row.Err, errLeftOut) {
			r.LeftOut++
			continue
		}
		if errors.Is(row.Err, ErrNoHashConfig) {
			return row, ErrNoHashConfig
		}
		if row.Err == nil && len(row.Record) > maxLine {
			row.Err = fmt.Errorf("it takes more than %d KiB as a line of an import", maxLine>>10)
		}
		if row.Err != nil && row.Record == nil && row.Text == "" {
			row.Text = marshal(rec)
		}
		return row, nil
	}
}

// pass takes a line of an import as it is. A line of a report with the text of a record that could not be read is taken
// where that text was made a line.
func (r *Reader) pass(rec map[string]any, row *Row) error {
	if _, ok := rec["username"]; !ok && rec["reason"] != nil {
		row.Text, _ = rec["text"].(string)
		mended, err := decode([]byte(row.Text))
		if err == nil && mended["username"] == nil {
			err = errors.New("it has no username")
		}
		if err != nil {
			return fmt.Errorf("the record could not be read before, and its text is no line of an import: %w. Mend it in the file that it came from, and import that again", err)
		}
		rec, row.Text = mended, ""
	}
	row.Username, _ = rec["username"].(string)
	row.ID = text(rec["id"])
	if hash, _ := rec["password_hash"].(string); r.format.scheme != "" && hash != "" && rec["hash_scheme"] == nil {
		rec["hash_scheme"] = r.format.scheme
	}
	row.Record = []byte(marshal(rec))
	return nil
}

// user makes the line of an import from a record.
func (r *Reader) user(rec map[string]any, row *Row) error {
	u := api.UserRecord{Claims: map[string]json.RawMessage{}}
	f := &r.format
	u.PasswordHash = first(rec, f.hash)
	if f.convert != nil {
		if err := f.convert(r, rec, &u, row); err != nil {
			return err
		}
	}
	if u.HashScheme == "" && u.PasswordHash != "" {
		u.HashScheme = f.scheme
	}
	u.Username = first(rec, f.username)
	row.Username = u.Username
	for _, field := range r.opts.Aliases {
		if alias := first(rec, []string{field}); alias != "" {
			u.Aliases = append(u.Aliases, alias)
		}
	}
	if row.ID == "" {
		row.ID = first(rec, f.id)
	}
	if row.ID != "" {
		id, ok := value(rec, f.id)
		if !ok || text(id) != row.ID {
			id = row.ID
		}
		u.ID = json.RawMessage(marshal(id))
	}
	for _, field := range f.disabled {
		disabled, err := isTrue(rec, field)
		if err != nil {
			return err
		}
		if disabled {
			u.Disabled = new(true)
		}
	}
	if roles, ok := r.roles(rec); ok {
		u.Claims[r.opts.RolesClaim] = json.RawMessage(marshal(roles))
	}
	if err := r.claims(rec, u.Claims); err != nil {
		return err
	}
	row.Record = []byte(marshal(u))
	if u.Username == "" {
		return fmt.Errorf("there is no username: %s is empty; another field can be named", strings.Join(f.username, ", "))
	}
	return nil
}

// roles returns the roles as a list of text.
func (r *Reader) roles(rec map[string]any) ([]string, bool) {
	v, ok := value(rec, r.format.roles)
	if !ok {
		return nil, false
	}
	list, isList := v.([]any)
	if s, isText := v.(string); isText {
		if s = strings.TrimSpace(s); s == "" || s == "[]" {
			return nil, false
		}
		if json.Unmarshal([]byte(s), &list) != nil {
			for part := range strings.SplitSeq(s, ",") {
				list = append(list, strings.TrimSpace(part))
			}
		}
	} else if !isList {
		return nil, false
	}
	var roles []string
	for _, item := range list {
		if nested, ok := item.([]any); ok && len(nested) == 1 { // a natural key
			item = nested[0]
		}
		name := text(item)
		if group, ok := r.groups[name]; ok {
			name = group
		}
		if name != "" {
			roles = append(roles, name)
		}
	}
	return roles, len(roles) > 0
}

// claims adds the claims that the options name.
func (r *Reader) claims(rec map[string]any, into map[string]json.RawMessage) error {
	for _, c := range r.opts.Claims {
		v, ok := value(rec, []string{c.Field})
		if !ok {
			continue
		}
		if s, isText := v.(string); isText && (s == "" || absent(s)) {
			continue
		} else if isText && c.JSON {
			if !json.Valid([]byte(s)) {
				return fmt.Errorf("claim %s: the field %s is not JSON", c.Name, c.Field)
			}
			into[c.Name] = json.RawMessage(s)
		} else {
			into[c.Name] = json.RawMessage(marshal(v))
		}
		r.found[c.Name] = true
	}
	return nil
}

// marshal encodes what was decoded from JSON, or a type of ours.
func marshal(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// decode reads a JSON object, with numbers as they are spelt.
func decode(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, notUTF8("it")
	}
	// A member that is there twice has two values, and other readers may take the other one.
	if err := jsontext.NewDecoder(bytes.NewReader(data)).SkipValue(); errors.Is(err, jsontext.ErrDuplicateName) {
		syntax, _ := errors.AsType[*jsontext.SyntacticError](err)
		return nil, fmt.Errorf("the member %q is there twice", syntax.JSONPointer.LastToken())
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var rec map[string]any
	err := dec.Decode(&rec)
	if _, wrong := errors.AsType[*json.UnmarshalTypeError](err); wrong || err == nil && rec == nil {
		return nil, errors.New("it is not a JSON object")
	}
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			return nil, errors.New("something follows the JSON object")
		}
	}
	if err != nil {
		return nil, errors.New("it is not valid JSON, or ends too early")
	}
	return rec, nil
}
