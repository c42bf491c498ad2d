package clientspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"signet/keys/jose"
	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
)

// Limits of a client, beside those of package syntax.
const (
	maxOrigins = 100
	maxClaims  = 100
)

// validator collects all problems of a client spec, so that an operator sees them at once.
type validator struct {
	problems []string
	warnings []string // about a spec that is accepted
}

func (k *validator) add(format string, args ...any) {
	k.problems = append(k.problems, fmt.Sprintf(format, args...))
}

func (k *validator) all(spec api.ClientSpec, algs []string, maxTTL time.Duration) time.Duration {
	k.id(spec.ID)
	k.authMethods(spec)
	k.grants(spec)
	k.scopes(spec)
	k.audiences(spec)
	k.list("origins", spec.Origins, maxOrigins, checkOrigin)
	k.list("claims", spec.Claims, maxClaims, syntax.CheckClientClaim)
	k.list("introspect_for", spec.IntrospectFor, syntax.MaxAudiences, syntax.CheckAudience)
	if len(spec.IntrospectFor) > 0 && !spec.Introspect {
		k.add("introspect_for narrows the right to introspect, which this client does not have: set introspect too, or leave it empty")
	}
	if spec.Alg != "" && !slices.Contains(algs, spec.Alg) {
		k.add("alg must be empty or what the server signs with now: %s (one that was added to the configuration joins them when its first key has been published for keys.publish)", strings.Join(algs, ", "))
	}
	k.browser(spec)
	return k.ttl(spec.AccessTokenTTL, maxTTL)
}

// browser checks what is there for browsers: where they may be sent, and which grant their apps have.
func (k *validator) browser(spec api.ClientSpec) {
	k.list("redirect_uris", spec.RedirectURIs, syntax.MaxRedirectURIs, syntax.CheckRedirectURI)
	k.list("post_logout_redirect_uris", spec.PostLogoutURIs, syntax.MaxRedirectURIs, syntax.CheckRedirectURI)
	if spec.BackchannelLogoutURI != "" {
		if why := syntax.CheckWebURI(spec.BackchannelLogoutURI); why != "" {
			k.add("backchannel_logout_uri: %s %s", edge.QuoteShort(spec.BackchannelLogoutURI), why)
		}
	}
	code := slices.Contains(spec.Grants, syntax.GrantAuthorizationCode)
	switch {
	case code && len(spec.RedirectURIs) == 0:
		k.add("redirect_uris is missing: a client with the grant authorization_code needs the URIs to which its codes may go")
	case !code && len(spec.RedirectURIs) > 0:
		k.warnings = append(k.warnings, "redirect_uris are of no use without the grant authorization_code")
	case !code && spec.RequirePAR:
		k.warnings = append(k.warnings, "require_pushed_authorization_requests is of no use without the grant authorization_code")
	}
	if PasswordInBrowser(spec) {
		k.warnings = append(k.warnings, "grants: with password, whatever runs in this app's page reads its users' passwords; with authorization_code they sign in at Signet's own page")
	}
}

// PasswordInBrowser reports whether an app in a browser asks for its users' passwords itself. RFC 9700 §2.4 forbids it, and
// RFC 10017 has the authorization code grant for such apps.
func PasswordInBrowser(spec api.ClientSpec) bool {
	return spec.Public && len(spec.Origins) > 0 && slices.Contains(spec.Grants, syntax.GrantPassword)
}

func (k *validator) id(id string) {
	switch {
	case !syntax.ClientID(id):
		k.add("client_id must be 1 to 128 letters, digits, - . _ ~")
	case id == syntax.BrowserClient:
		k.add("client_id must not be %s, which stands for the browsers that are signed in at the login page", id)
	case strings.HasPrefix(id, syntax.UserPrefix):
		k.add("client_id must not begin with %s, as the sub of users does", syntax.UserPrefix)
	}
}

func (k *validator) authMethods(spec api.ClientSpec) {
	if spec.Public {
		if !slices.Equal(spec.AuthMethods, []string{clientauth.None}) {
			k.add("auth_methods of a public client is %q alone; leave it out", clientauth.None)
		}
		return
	}
	if len(spec.AuthMethods) == 0 {
		k.add("auth_methods of a confidential client must name at least one of %s", strings.Join(clientauth.ConfidentialMethods, ", "))
	}
	k.list("auth_methods", spec.AuthMethods, len(clientauth.ConfidentialMethods), func(method string) string {
		if !slices.Contains(clientauth.ConfidentialMethods, method) {
			return "must be one of " + strings.Join(clientauth.ConfidentialMethods, ", ") + "; only a public client has " + clientauth.None
		}
		return ""
	})
}

// keys returns the client's public keys as the store keeps them.
func (k *validator) keys(spec api.ClientSpec) json.RawMessage {
	signs := slices.Contains(spec.AuthMethods, clientauth.PrivateKeyJWT)
	if !hasKeys(spec) {
		if signs {
			k.add("jwks is missing: a client that authenticates by %s needs its public keys there", clientauth.PrivateKeyJWT)
		}
		return nil
	}
	switch {
	case spec.Public:
		k.add("a public client has no keys: leave jwks out, or register a confidential client")
	case !signs:
		k.add("jwks is for clients that authenticate by %s: name that in auth_methods too, or make jwks null", clientauth.PrivateKeyJWT)
	}
	set, err := jose.ParsePublicSet(spec.JWKS)
	if err != nil {
		k.addKeyProblems(err)
		return nil
	}
	for _, why := range set.Unusable() {
		k.warnings = append(k.warnings, "jwks: "+why.Error()+"; this key was left out")
	}
	stored, err := json.Marshal(set)
	if err != nil {
		k.add("jwks: %s", err)
	}
	return stored
}

func (k *validator) addKeyProblems(err error) {
	for problem := range strings.SplitSeq(err.Error(), "\n") {
		k.add("jwks: %s", problem)
	}
	if errors.Is(err, jose.ErrPrivateKey) {
		k.add("a private key was sent here: consider it leaked, make another pair, and send its public half alone")
	}
}

// beginning are the grants with which a session begins.
var beginning = []string{syntax.GrantAuthorizationCode, syntax.GrantPassword}

// BeginsSessions reports whether a session of a user can begin with one of the grants.
func BeginsSessions(grants []string) bool {
	return slices.ContainsFunc(grants, func(grant string) bool { return slices.Contains(beginning, grant) })
}

func (k *validator) grants(spec api.ClientSpec) {
	k.list("grants", spec.Grants, len(syntax.GrantTypes), func(grant string) string {
		if !slices.Contains(syntax.GrantTypes, grant) {
			return "must be one of " + strings.Join(syntax.GrantTypes, ", ")
		}
		return ""
	})
	has := func(grant string) bool { return slices.Contains(spec.Grants, grant) }
	switch {
	case len(spec.Grants) == 0 && !spec.Introspect:
		k.add("grants must name at least one of %s, unless the client is there to introspect", strings.Join(syntax.GrantTypes, ", "))
	case has(syntax.GrantRefreshToken) && !BeginsSessions(spec.Grants):
		k.add("the grant refresh_token needs the grant authorization_code or password: nothing else begins a session")
	}
	if spec.Public && has(syntax.GrantClientCredentials) {
		k.add("a public client cannot have the grant client_credentials: it has no credentials")
	}
	if spec.Public && spec.Introspect {
		k.add("a public client cannot introspect: anybody could ask in its name")
	}
}

func (k *validator) scopes(spec api.ClientSpec) {
	k.list("scopes", spec.Scopes, syntax.MaxScopes, func(scope string) string {
		if strings.Contains(scope, " ") || !syntax.Scope(scope) {
			return "must be printable ASCII without space, quote or backslash"
		}
		if api.IsScope(strings.ToLower(scope)) && !slices.Contains(api.Scopes, scope) {
			return "is not one of the admin API's: " + strings.Join(api.Scopes, ", ") + "; no other scope may begin with " + api.ScopePrefix
		}
		return ""
	})
	if n := len(strings.Join(spec.Scopes, " ")); n > syntax.MaxScopeLength {
		k.add("scopes have %d characters in all; at most %d fit in a token", n, syntax.MaxScopeLength)
	}
	at := slices.IndexFunc(spec.Scopes, api.IsScope)
	if at < 0 {
		return
	}
	if spec.Public {
		k.add("a public client cannot have the scope %s", spec.Scopes[at])
	}
	for _, grant := range beginning {
		if slices.Contains(spec.Grants, grant) {
			k.add("the scope %s goes with the grant client_credentials alone: with %s every user would be given it", spec.Scopes[at], grant)
		}
	}
}

// audiences are in refresh tokens as well, where they must fit beside the scopes.
func (k *validator) audiences(spec api.ClientSpec) {
	k.list("audiences", spec.Audiences, syntax.MaxAudiences, syntax.CheckAudience)
	if n := len(strings.Join(spec.Audiences, "")); n > syntax.MaxAudienceLength {
		k.add("audiences have %d characters in all; at most %d fit in a token", n, syntax.MaxAudienceLength)
	}
}

// list checks the entries of a list. wrong returns what is wrong with an entry, or "".
func (k *validator) list(name string, entries []string, most int, wrong func(string) string) {
	if len(entries) > most {
		k.add("%s has %d entries; at most %d are possible", name, len(entries), most)
		return
	}
	for i, entry := range entries {
		if why := wrong(entry); why != "" {
			k.add("%s: %s %s", name, edge.QuoteShort(entry), why)
		}
		if slices.Contains(entries[:i], entry) {
			k.add("%s: %s is there twice", name, edge.QuoteShort(entry))
		}
	}
}

func (k *validator) ttl(text string, most time.Duration) time.Duration {
	if text == "" {
		return 0
	}
	ttl, err := time.ParseDuration(text)
	if err != nil || ttl < time.Second || ttl > most || ttl%time.Second != 0 {
		k.add("access_token_ttl must be whole seconds such as 5m or 90s, at most %s, or empty for the server's", most)
	}
	return ttl
}

// checkOrigin accepts exactly what a browser, or the web view of an app, sends as Origin. Anything else never matches.
func checkOrigin(origin string) string {
	if len(origin) > syntax.MaxOrigin || !syntax.IsOrigin(origin) {
		if meant := syntax.OriginOfURL(origin); len(meant) <= syntax.MaxOrigin && syntax.IsOrigin(meant) {
			return "must be an origin as browsers send it: write " + meant
		}
		return "must be an origin as browsers send it, such as https://app.example, http://localhost:5173 or capacitor://localhost: no path, no slash at the end, no *"
	}
	u, _ := url.Parse(origin)
	if u.Scheme == "http" && !syntax.BrowserLoopback(u.Hostname()) {
		return "must begin with https://; http is for loopback addresses"
	}
	return ""
}
