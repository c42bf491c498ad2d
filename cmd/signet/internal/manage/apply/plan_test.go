package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"signet/cmd/signet/internal/clientfile"
	"signet/server/admin/api"
	"signet/server/clientauth"
)

// parsed returns the clients of a file.
func parsed(t *testing.T, text string) []clientfile.Client {
	t.Helper()
	clients, err := clientfile.Parse("f", []byte("clients: ["+text+"]"))
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// stored returns clients as a server has them that got these from a file. Confidential ones have a secret.
func stored(t *testing.T, text string) []api.Client {
	t.Helper()
	var list []api.Client
	for _, c := range parsed(t, text) {
		has := api.Client{ClientSpec: c.ClientSpec, Revision: "1", Disabled: c.Disabled != nil && *c.Disabled}
		if strings.Contains(strings.Join(c.AuthMethods, " "), "secret") {
			has.Secrets = []api.SecretRecord{{Fingerprint: "00000000"}}
		}
		list = append(list, has)
	}
	return list
}

func noSecret(*clientfile.SecretSource) (string, error) { return "", nil }

// summary writes a plan in a line a change.
func (p *plan) summary() string {
	var lines []string
	for _, c := range p.Changes {
		line := c.Action + " " + c.ClientID
		for _, d := range c.Members {
			line += " " + d.Member
		}
		if c.isNew {
			line += " +secret"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

const (
	ops  = "{id: ops, grants: [client_credentials], scopes: ['signet:admin', other]}"
	spa  = "{id: spa, public: true, grants: [password]}"
	jobs = "{id: jobs, grants: [client_credentials]}"
	pem  = "{id: keyed, grants: [client_credentials], scopes: ['signet:admin'], jwks: {keys: [{kid: one, kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}}"
)

func TestPlan(t *testing.T) {
	for _, test := range []struct{ name, files, server, prune, want string }{
		{"the same", spa + "," + jobs, spa + "," + jobs, "prune", ""},
		{"keys are the same", pem, pem, "prune", ""},
		{"others stay", spa, spa + "," + jobs, "", ""},
		{"others go", spa, spa + "," + jobs, "prune", "delete jobs"},
		{"deletions are last", "{id: z, public: true, grants: [password]}", "{id: a, public: true, grants: [password]}", "prune", "create z auth_methods grants, delete a"},
		{"a member that is left out has its default", "{id: spa, public: true, grants: [password]}",
			"{id: spa, public: true, grants: [password, refresh_token], origins: ['https://a.example'], alg: RS256}", "", "update spa grants origins alg"},
		{"the order of a list", "{id: spa, public: true, grants: [password, refresh_token]}", "{id: spa, public: true, grants: [refresh_token, password]}", "", "update spa grants"},
		{"disabled is left out", spa, "{id: spa, public: true, grants: [password], disabled: true}", "", ""},
		{"enabled", "{id: spa, public: true, grants: [password], disabled: false}", "{id: spa, public: true, grants: [password], disabled: true}", "", "update spa disabled"},
		{"a secret is there", "{id: jobs, grants: [client_credentials], secret: generate}", jobs, "", ""},
		{"a secret is not there", "{id: keyed, grants: [client_credentials], scopes: ['signet:admin'], secret: generate}", pem, "", "update keyed auth_methods jwks +secret"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := newPlan(parsed(t, test.files), stored(t, test.server), test.prune != "", noSecret)
			if err != nil || p.summary() != test.want || (p.Name == "") != (test.want == "") {
				t.Errorf("got %q (%s), %v, want %q", p.summary(), p.Name, err, test.want)
			}
		})
	}
}

// TestPlanName: a plan that is another one, or is made from another state, has another name.
func TestPlanName(t *testing.T) {
	secret := func(text string) func(*clientfile.SecretSource) (string, error) {
		return func(*clientfile.SecretSource) (string, error) { return text, nil }
	}
	const wanted = "{id: jobs, grants: [client_credentials], scopes: [a], secret: {env: S}}"
	name := func(files string, revision string, read func(*clientfile.SecretSource) (string, error)) string {
		t.Helper()
		has := stored(t, jobs)
		has[0].Revision = revision
		p, err := newPlan(parsed(t, files), has, false, read)
		if err != nil {
			t.Fatal(err)
		}
		return p.Name
	}
	first := name(wanted, "1", secret("one"))
	if again := name(wanted, "1", secret("one")); again != first || first == "" {
		t.Errorf("the same plan: got %q and %q", first, again)
	}
	for what, other := range map[string]string{
		"another state": name(wanted, "2", secret("one")), "another secret": name(wanted, "1", secret("two")),
		"another value": name(strings.Replace(wanted, "[a]", "[b]", 1), "1", secret("one")),
	} {
		if other == first {
			t.Errorf("%s: got the same name", what)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	one := clientauth.NewSecret()
	read := func(s *clientfile.SecretSource) (string, error) {
		if s.Env == "BAD" {
			return "", errors.New("it cannot be read")
		}
		return one, nil
	}
	_, err := newPlan(parsed(t, "{id: a, grants: [client_credentials], secret: {env: A}}, {id: b, grants: [client_credentials], secret: {env: A}},"+
		"{id: c, grants: [client_credentials]}, {id: d, grants: [client_credentials], secret: {env: BAD}}, {id: spa, grants: [client_credentials], secret: {env: E}}"), stored(t, spa), false, read)
	for _, want := range []string{`client "b": secret: it is that of the client "a" too`, `client "c": secret is missing`, `client "d": secret: it cannot be read`, `client "spa": public cannot be changed`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if strings.Count(fmt.Sprint(err), "\n") != 3 || strings.Contains(fmt.Sprint(err), one) {
		t.Errorf("got %v", err)
	}
}

// TestAccess: no plan takes the admin API away from everybody, or from its own caller.
func TestAccess(t *testing.T) {
	const clients = "{id: ci, grants: [client_credentials], scopes: ['signet:clients']}"
	const otherKey = "{id: keyed, grants: [client_credentials], scopes: ['signet:admin'], jwks: {keys: [{kid: two, kty: OKP, crv: Ed25519, x: PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw}]}}"
	for _, test := range []struct{ name, files, server, caller, want string }{
		{"it is in no file", spa, ops + "," + jobs, "", `client "ops": it is the last`},
		{"it stays", spa + "," + ops, ops, "", ""},
		{"there was none", spa, jobs, "", ""},
		{"another is left", pem, ops + "," + pem, "", ""},
		{"another takes its place", pem, ops, "", ""},
		{"another without a way to authenticate", "{id: keyed, public: true, grants: [password]}", ops, "", "it is the last"},
		{"its scope", "{id: ops, grants: [client_credentials], scopes: [other]}", ops, "", "it is the last"},
		{"its grant", "{id: ops, grants: [password], scopes: [other]}", ops, "", "it is the last"},
		{"it is disabled", "{id: ops, grants: [client_credentials], scopes: ['signet:admin', other], disabled: true}", ops, "", "it is the last"},
		{"the rest of it", "{id: ops, grants: [client_credentials], scopes: ['signet:admin']}", ops, "ops", ""},
		{"the caller is deleted", ops, ops + "," + clients, "ci", `client "ci": this very call uses it`},
		{"the caller is disabled", ops + ", {id: ci, grants: [client_credentials], scopes: ['signet:clients'], disabled: true}", ops + "," + clients, "ci", "this very call"},
		{"the caller loses its scope", ops + ", {id: ci, grants: [client_credentials], scopes: ['signet:users']}", ops + "," + clients, "ci", "this very call"},
		{"the caller gets keys in place of its secret", ops + "," + strings.Replace(pem, "keyed", "ci", 1), ops + "," + clients, "ci", "this very call"},
		{"the caller's only key is replaced", ops + "," + otherKey, ops + "," + pem, "keyed", "this very call"},
		{"the caller has both keys", ops + "," + strings.Replace(otherKey, "keys: [", "keys: [{kid: one, kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}, ", 1), ops + "," + pem, "keyed", ""},
		{"another client's key is replaced", ops + "," + otherKey, ops + "," + pem, "ops", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			has := stored(t, test.server)
			p, err := newPlan(parsed(t, test.files), has, true, func(*clientfile.SecretSource) (string, error) { return "", nil })
			if err != nil {
				t.Fatal(err)
			}
			err = p.checkAccess(has, test.caller)
			if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%s: got %v, want %q", p.summary(), err, test.want)
			}
		})
	}
}

func TestClientOf(t *testing.T) {
	for token, want := range map[string]string{"": "", "a.b": "", "a.b.c": "", "e30.e30.": "", "e30.eyJjbGllbnRfaWQiOiJvcHMifQ.sig": "ops", "e30.eyJjbGllbnRfaWQiOjF9.": ""} {
		if got := clientOf(token); got != want {
			t.Errorf("%q: got %q, want %q", token, got, want)
		}
	}
}

// TestWritePlan: people see which entries of a list differ, and no secret.
func TestWritePlan(t *testing.T) {
	secret := clientauth.NewSecret()
	has := stored(t, ops+", {id: jobs, grants: [client_credentials], scopes: [a, b], audiences: [x, y], introspect: true, alg: RS256},"+pem)
	wanted := parsed(t, ops+", {id: jobs, grants: [client_credentials], scopes: [b, c], audiences: [y, x], secret: {env: JOBS}},"+
		strings.Replace(pem, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw", 1)+", {id: spa, public: true, grants: [password], origins: ['https://a.example']}")
	p, err := newPlan(wanted, has, true, func(*clientfile.SecretSource) (string, error) { return secret, nil })
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	p.write(&text)
	want := `~ jobs
    scopes: +c -a
    audiences: in another order: y x
    introspect: true -> false
    alg: RS256 -> -
    secret: the one from the variable JOBS; the one before stays valid
~ keyed
    jwks: changed under the same names: one
+ spa  (new)
    auth_methods: none
    grants: password
    origins: https://a.example
    warning: grants: with password, whatever runs in this app's page reads its users' passwords; with authorization_code they sign in at Signet's own page
1 to create, 2 to change, 0 to delete (plan ` + p.Name + ")\n"
	if text.String() != want {
		t.Errorf("got\n%s, want\n%s", text.String(), want)
	}
	asJSON, err := json.Marshal(p)
	if err != nil || strings.Contains(string(asJSON)+text.String(), secret) {
		t.Errorf("got %s, %v", asJSON, err)
	}
}
