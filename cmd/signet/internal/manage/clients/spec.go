package clients

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/config/duration"
)

// spec holds the flags for what can be set on a client.
type spec struct {
	grants, scopes, audiences, origins, authMethods, claims, introspectFor []string
	keys                                                                   string // a file
	introspect                                                             bool
	alg                                                                    string
	ttl                                                                    time.Duration

	redirectURIs, postLogoutURIs []string
	backchannelLogoutURI         string
	requirePAR                   bool
}

func (s *spec) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	listFlag(f, &s.grants, "grant", "GRANT[,GRANT]", "grants it may use: authorization_code, refresh_token, client_credentials, password")
	listFlag(f, &s.redirectURIs, "redirect-uri", "URI[,URI]", "where its users come back from the login page, to the letter; with authorization_code")
	listFlag(f, &s.postLogoutURIs, "post-logout-uri", "URI[,URI]", "where its users may go after a logout, to the letter")
	f.StringVar(&s.backchannelLogoutURI, "backchannel-logout-uri", "", "`URI` that is called when one of its users is signed out")
	f.BoolVar(&s.requirePAR, "require-par", false, "take its authorization requests by /par alone (RFC 9126)")
	listFlag(f, &s.scopes, "scope", "SCOPE[,SCOPE]", "scopes it may be given; a request without scope gets all of them")
	listFlag(f, &s.audiences, "audience", "AUD[,AUD]", "services its tokens may be for (default: the server's)")
	listFlag(f, &s.origins, "origin", "ORIGIN[,ORIGIN]", "browser origins that may call for it, such as https://app.example.com")
	listFlag(f, &s.authMethods, "auth-method", "METHOD[,METHOD]", "client_secret_basic, client_secret_post, private_key_jwt or none (default: private_key_jwt with keys, none if public, else the first two)")
	f.StringVar(&s.keys, "jwks", "", "its public keys from `FILE`, for private_key_jwt: a JWK Set, a JWK, or PEM; - reads standard input")
	listFlag(f, &s.claims, "claim-name", "NAME[,NAME]", "claims of the user that are copied into its tokens, such as roles")
	f.BoolVar(&s.introspect, "introspect", false, "it may ask /introspect about tokens")
	listFlag(f, &s.introspectFor, "introspect-for", "AUD[,AUD]", "with --introspect: only about tokens for these services (default: about all)")
	f.StringVar(&s.alg, "alg", "", "sign its tokens with `ALG`: ES256, RS256, PS256, EdDSA (default: the server's first)")
	f.Var((*duration.Value)(&s.ttl), "ttl", "lifetime of its access tokens, a `TIME` such as 10m (default, and 0: the server's)")
}

// given returns the members of api.ClientSpec whose flags are set.
func (s *spec) given(app *cli.App, cmd *cobra.Command) (map[string]any, error) {
	ttl := ""
	if s.ttl != 0 {
		ttl = s.ttl.String()
	}
	all := map[string]any{
		"grants": s.grants, "scopes": s.scopes, "audiences": s.audiences, "origins": s.origins, "auth_methods": s.authMethods, "claims": s.claims,
		"introspect": s.introspect, "introspect_for": s.introspectFor, "alg": s.alg, "access_token_ttl": ttl,
		"redirect_uris": s.redirectURIs, "post_logout_redirect_uris": s.postLogoutURIs, "backchannel_logout_uri": s.backchannelLogoutURI,
		"require_pushed_authorization_requests": s.requirePAR,
	}
	body := map[string]any{}
	if cmd.Flags().Changed("jwks") {
		set, err := readPublicKeys(app, s.keys)
		if err != nil {
			return nil, err
		}
		body["jwks"] = set
	}
	for member, value := range all {
		if cmd.Flags().Changed(connect.ClientFlag(member)) {
			body[member] = value
		}
	}
	return body, nil
}

// listFlag adds a flag that takes several values, and shows it in the help.
func listFlag(f *pflag.FlagSet, p *[]string, name, form, usage string) {
	f.StringSliceVar(p, name, nil, usage)
	flag := f.Lookup(name)
	flag.Value, flag.DefValue = namedValue{flag.Value, form}, ""
}

// namedValue replaces the type of a flag in the help.
type namedValue struct {
	pflag.Value
	form string
}

func (v namedValue) Type() string { return v.form }
