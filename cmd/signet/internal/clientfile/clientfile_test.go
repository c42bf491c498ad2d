package clientfile_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/clientfile"
	"signet/server/admin/api"
	"signet/server/clientauth"
)

func TestParse(t *testing.T) {
	clients, err := clientfile.Parse("dir/clients.yaml", []byte(`
clients:
  - id: spa
    public: true
    grants: [authorization_code, refresh_token]
    redirect_uris: &uris [https://app.example.com/cb]
    post_logout_redirect_uris: *uris
    access_token_ttl: 300s
  - client_id: "42"
    grants:
    - client_credentials
    jwks: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo, exp: 1}]}
    disabled: true
  - {id: jobs, grants: [client_credentials], secret: {generate: jobs.secret}}
  - {id: more, grants: [client_credentials], secret: {file: /run/more}, jwks: null}
`))
	if err != nil || len(clients) != 4 {
		t.Fatalf("got %d clients, %v", len(clients), err)
	}
	spa, robot, jobs, more := clients[0], clients[1], clients[2], clients[3]
	if spa.ID != "spa" || !slices.Equal(spa.AuthMethods, []string{"none"}) || !slices.Equal(spa.PostLogoutURIs, []string{"https://app.example.com/cb"}) ||
		spa.AccessTokenTTL != "5m0s" || spa.Scopes == nil || spa.Disabled != nil || spa.Place != "dir/clients.yaml:3" {
		t.Errorf("got %+v", spa)
	}
	if robot.ID != "42" || !strings.Contains(string(robot.JWKS), `"kid":`) || strings.Contains(string(robot.JWKS), "exp") || !*robot.Disabled ||
		!slices.Equal(robot.AuthMethods, []string{"private_key_jwt"}) {
		t.Errorf("got %+v", robot)
	}
	if *jobs.Secret != (clientfile.SecretSource{Generate: true, Keep: "dir/jobs.secret"}) || *more.Secret != (clientfile.SecretSource{File: "/run/more"}) {
		t.Errorf("got %+v and %+v", jobs.Secret, more.Secret)
	}
}

// TestParseRefuses: what is wrong has its line, and no value is quoted.
func TestParseRefuses(t *testing.T) {
	const fine = "public: true, grants: [password]"
	for _, test := range []struct{ text, want string }{
		{"", "f: is empty; remove the file, or write `clients: []`"},
		{"# only a comment\n", "f: is empty; remove the file, or write `clients: []`"},
		{"---\n", "f: is empty; remove the file, or write `clients: []`"},
		{"null", "f: is empty; remove the file, or write `clients: []`"},
		{"{}", "f:1: the key clients is missing"},
		{"[]", "f:1: a file of clients is a mapping with the key clients"},
		{"clients", "f:1: a file of clients is a mapping with the key clients"},
		{"\nclients:\n", "f:2: clients: must be a list, with a `- ` before each client; write [] if there is none"},
		{"clients: {a: 1}", "f:1: clients: must be a list, with a `- ` before each client; write [] if there is none"},
		{"clients: []\nclients: []", "f:2: clients: is given twice, first in line 1; remove one"},
		{"clients: []\nusers: []", "f:2: users: cannot be set here: `signet user import` takes users"},
		{"clients: []\nkeys: []", `f:2: unknown key "keys"; the one key of a file is clients`},
		{"clients: []\n---\nclients: []", "f:2: a second YAML document begins here; keep one in each file"},
		{"clients: []\n...\n---\nclients: [", "f:4: is not YAML: did not find expected node content"},
		{"clients: [*x]", "f: is not YAML: unknown anchor 'x' referenced"},
		{"clients:\n- web", "f:2: a client is a mapping of members such as client_id and grants"},
		{"clients:\n-\n", "f:2: a client is a mapping of members such as client_id and grants"},
		{"clients:\n- {" + fine + "}", "f:2: client_id is missing"},
		{"clients:\n- {id: a, client_id: a, " + fine + "}", `f:2: client "a": id is short for client_id; remove one of the two`},
		{"clients:\n- {id: a, " + fine + ", grants: [password]}", `f:2: client "a": grants: is given twice, first in line 2; remove one`},
		{"clients:\n- {id: 42, " + fine + "}", `f:2: id: must be text; quotes make text of a number or a word such as true`},
		{"clients:\n- {id: a b, " + fine + "}", `f:2: client "a b": client_id must be 1 to 128 letters, digits, - . _ ~`},
		{"clients:\n- {id: a, public: yes please, grants: [password]}", `f:2: client "a": public: must be true or false; quotes make text of a number or a word such as true`},
		{"clients:\n- {id: a, public: true, grants: password}", `f:2: client "a": grants: must be a list, such as [a, b]; quotes make text of a number or a word such as true`},
		{"clients:\n- {id: a, public: true, grants: [[password]]}", `f:2: client "a": grants: each entry must be text`},
		{"clients:\n- {id: a, " + fine + ", scopes: [true]}", `f:2: client "a": scopes: each entry must be text; quotes make text of a number or a word such as true`},
		{"clients:\n- {id: a, " + fine + ", access_token_ttl: 300}", `f:2: client "a": access_token_ttl: must be text; quotes make text of a number or a word such as true`},
		{"clients:\n- {id: a, " + fine + ", alg: !!binary c2VjcmV0}", `f:2: client "a": alg: must be text; quotes make text of a number or a word such as true`},
		{"clients:\n- {id: a, " + fine + ", disabled: }", `f:2: client "a": disabled: must be true or false; nothing is there: remove the line if the default is meant`},
		{"clients:\n- {id: a, " + fine + ", revision: x}", "f:2: client \"a\": unknown member \"revision\"; `signet apply --schema` has those there are"},
		{"clients:\n- {id: a, " + fine + ", [b]: x}", `f:2: client "a": a key must be plain text`},
		{"clients:\n- {id: a, " + fine + ", secret: generate}", `f:2: client "a": secret: this client has none; it is public, or authenticates by a key`},
		{"clients:\n- {id: a, grants: [client_credentials], secret: {file: ''}}", `f:2: client "a": secret: must be {file: PATH}, {env: NAME}, {generate: PATH} or generate; a secret itself is never written here`},
		{"clients:\n- {id: a, grants: [client_credentials], secret: {value: x}}", `f:2: client "a": secret: must be {file: PATH}, {env: NAME}, {generate: PATH} or generate; a secret itself is never written here`},
		{"clients:\n- {id: a, grants: [client_credentials], jwks: {file: none.pub}}", `f:2: client "a": jwks: none.pub: cannot be read: no such file or directory`},
		{"clients:\n- {id: a, grants: [client_credentials], jwks: {keys: [{kty: oct, k: c2VjcmV0}]}}", `f:2: client "a": jwks: `},
		{"clients:\n- {id: a, grants: [client_credentials], jwks: {keys: [.inf]}}", `f:2: client "a": jwks: `},
		{"clients: [\"\xff\"]", "f: is not YAML: "},
		{"clients: [\"\x00\"]", "f: is not YAML: "},
	} {
		clients, err := clientfile.Parse("f", []byte(test.text))
		if err == nil {
			t.Errorf("%q: got %+v, want %s", test.text, clients, test.want)
			continue
		}
		got, isPart := err.Error(), strings.HasSuffix(test.want, " ")
		if got != test.want && !(isPart && strings.HasPrefix(got, test.want)) || strings.Contains(got, "\n") || strings.Contains(got, "c2VjcmV0") {
			t.Errorf("%q: got\n%s, want\n%s", test.text, got, test.want)
		}
	}
}

// full is a client with a value in every member, so that a member which is forgotten is missed.
func full(t *testing.T) api.Client {
	t.Helper()
	c := api.Client{Disabled: true, ClientSpec: api.ClientSpec{ID: "true", AuthMethods: []string{"private_key_jwt", "client_secret_post"},
		JWKS:   json.RawMessage(`{"keys":[{"kty":"OKP","use":"sig","kid":"1","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`),
		Grants: []string{"authorization_code", "client_credentials"}, Scopes: []string{"null", "a:b", "#x", "-y", "1.0"}, Audiences: []string{"https://api.example.com"},
		Origins: []string{"https://app.example.com"}, Claims: []string{"roles"}, Introspect: true, IntrospectFor: []string{"https://api.example.com"}, Alg: "RS256",
		AccessTokenTTL: "1m30s", RedirectURIs: []string{"https://app.example.com/cb?a=b", "http://127.0.0.1/cb"}, PostLogoutURIs: []string{"https://app.example.com/"},
		BackchannelLogoutURI: "https://app.example.com/logout", RequirePAR: true}}
	v := reflect.ValueOf(c.ClientSpec)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Public" {
			t.Fatalf("%s has no value here; give it one", name)
		}
	}
	return c
}

// TestWrite: what is written is read as the same, every member of it.
func TestWrite(t *testing.T) {
	spa := api.Client{ClientSpec: api.ClientSpec{ID: "spa", Public: true, AuthMethods: []string{"none"}, Grants: []string{"password"}}}
	for _, format := range []cli.Format{cli.FormatTable, cli.FormatJSON} {
		var text bytes.Buffer
		if err := clientfile.Write(&cli.App{Out: &text, Format: format}, []api.Client{full(t), spa}); err != nil {
			t.Fatal(err)
		}
		clients, err := clientfile.Parse("f", text.Bytes())
		if err != nil || len(clients) != 2 {
			t.Fatalf("got %v of\n%s", err, text.Bytes())
		}
		for i, want := range []api.Client{full(t), spa} {
			got, _ := json.Marshal(clients[i].ClientSpec)
			for _, list := range []*[]string{&want.Scopes, &want.Audiences, &want.Origins, &want.Claims, &want.IntrospectFor, &want.RedirectURIs, &want.PostLogoutURIs} {
				*list = append([]string{}, *list...)
			}
			if wanted, _ := json.Marshal(want.ClientSpec); string(got) != string(wanted) || want.Disabled != (clients[i].Disabled != nil) {
				t.Errorf("got\n%s, want\n%s, from\n%s", got, wanted, text.Bytes())
			}
		}
	}
	var none bytes.Buffer
	if err := clientfile.Write(&cli.App{Out: &none}, nil); err != nil {
		t.Fatal(err)
	}
	if clients, err := clientfile.Parse("f", none.Bytes()); err != nil || len(clients) != 0 {
		t.Errorf("no clients: got %v, %v of %s", clients, err, none.Bytes())
	}
}

// TestSchema: the schema has the members that a file may have, and no others.
func TestSchema(t *testing.T) {
	var schema struct {
		Defs struct {
			Client struct {
				Properties map[string]any `json:"properties"`
			} `json:"client"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(clientfile.Schema), &schema); err != nil {
		t.Fatal(err)
	}
	want := []string{"id", "disabled", "secret"}
	for field := range reflect.TypeFor[api.ClientSpec]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, name)
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(schema.Defs.Client.Properties)); !slices.Equal(got, want) {
		t.Errorf("schema.json has the members %q, want %q", got, want)
	}
}

// TestSecretSource: a secret that is made is kept before anybody has it, and is read again.
func TestSecretSource(t *testing.T) {
	app := &cli.App{Environ: []string{"GOOD=" + clientauth.NewSecret(), "WEAK=password"}}
	dir := t.TempDir()
	kept := &clientfile.SecretSource{Generate: true, Keep: filepath.Join(dir, "kept")}
	if got, err := kept.Read(app); got != "" || err != nil {
		t.Errorf("before it is made: got %q, %v", got, err)
	}
	made, err := kept.Make()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := kept.Read(app); got != made || err != nil {
		t.Errorf("got %q, %v, want the one that was made", got, err)
	}
	if info, err := os.Stat(kept.Keep); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	if _, err := kept.Make(); err == nil {
		t.Error("the file was replaced")
	}
	if got, err := (&clientfile.SecretSource{Env: "GOOD"}).Read(app); !strings.HasPrefix(got, "signet_cs_") || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []clientfile.SecretSource{{Env: "WEAK"}, {Env: "NONE"}, {File: filepath.Join(dir, "none")}, {File: dir}} {
		if got, err := bad.Read(app); got != "" || err == nil || strings.Contains(err.Error(), "password") {
			t.Errorf("%s: got %q, %v", &bad, got, err)
		}
	}
}

// FuzzParse: no file ends the program, every refusal is of one line a problem, and what is accepted can be written and read
// again as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte("clients:\n- id: a\n  public: true\n  grants: [password]\n  scopes: &s [a]\n  claims: *s\n"))
	f.Add([]byte("clients:\n- {id: a, grants: [client_credentials], secret: {env: A}, disabled: true, access_token_ttl: 5m}\n"))
	f.Add([]byte("clients:\n- {id: a, grants: [client_credentials], jwks: &a {keys: [*a]}}\n"))
	f.Add([]byte("clients: [{id: a, <<: {b: c}}]\n---\n"))
	f.Add([]byte(`{"clients":[{"client_id":"a","jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},"grants":["client_credentials"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		clients, err := clientfile.Parse("f", data)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "f:") {
					t.Errorf("got the line %q", line)
				}
			}
			return
		}
		var specs []api.Client
		for _, c := range clients {
			specs = append(specs, api.Client{ClientSpec: c.ClientSpec, Disabled: c.Disabled != nil && *c.Disabled})
		}
		var text bytes.Buffer
		if err := clientfile.Write(&cli.App{Out: &text}, specs); err != nil {
			t.Fatal(err)
		}
		again, err := clientfile.Parse("f", text.Bytes())
		if err != nil || len(again) != len(clients) {
			t.Fatalf("got %v of\n%s", err, text.Bytes())
		}
		for i := range again {
			if !reflect.DeepEqual(again[i].ClientSpec, clients[i].ClientSpec) {
				t.Errorf("got %+v, want %+v", again[i].ClientSpec, clients[i].ClientSpec)
			}
		}
	})
}
