package token

// Types of the JWTs that this server signs, each the typ header of one kind. All are signed with the same keys and name the same
// issuer, so the type is what keeps one from passing as another (RFC 8725 §3.11). Verifiers that ignore it find that the
// claims do not fit: see Kinds.
const (
	TypeAccess        = "at+jwt"                  // RFC 9068 §2.1
	TypeID            = "JWT"                     // OpenID Connect Core §2 has no type; libraries expect this one or none
	TypeLogout        = "logout+jwt"              // OpenID Connect Back-Channel Logout §2.4
	TypeIntrospection = "token-introspection+jwt" // RFC 9701 §5
)

// Kind is a kind of token that this server gives out.
type Kind struct {
	Name   string
	Type   string // the typ header of a JWT; empty: it is no JWT
	Prefix string // of a token that is no JWT
	// Lacks are the claims without which one of these is no access token, also for a verifier that ignores the type; nil for the
	// access token itself.
	Lacks []string
}

// Kinds are all kinds of tokens that this server gives out. Each place that takes a token takes exactly one kind; introspection
// and revocation take two, which differ in form.
var Kinds = []Kind{
	{Name: "access token", Type: TypeAccess},
	{Name: "id_token", Type: TypeID, Lacks: []string{"jti", "client_id", "scope", "nbf"}}, // and aud is the client, which no service is named
	{Name: "logout token", Type: TypeLogout, Lacks: []string{"client_id", "scope", "nbf"}},
	{Name: "signed introspection", Type: TypeIntrospection, Lacks: []string{"jti", "client_id", "scope", "nbf", "sub", "exp"}},
	{Name: "refresh token", Prefix: RefreshPrefix},
	{Name: "authorization code", Prefix: CodePrefix},
}
