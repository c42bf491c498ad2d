package syntax

// Client authentication methods, as RFC 7591 §2 names them.
const (
	AuthBasic         = "client_secret_basic"
	AuthPost          = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt" // OpenID Connect Core §9
	AuthNone          = "none"
)

// ConfidentialMethods are those of clients that can keep a secret or a private key.
var ConfidentialMethods = []string{AuthBasic, AuthPost, AuthPrivateKeyJWT}

// Grant types (RFC 6749 §4.3.2, §4.4.2, §6).
const (
	GrantPassword          = "password"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
)

// GrantTypes are all of them.
var GrantTypes = []string{GrantPassword, GrantRefreshToken, GrantClientCredentials}

// ClientSecretPrefix begins every client secret that Signet makes, so that scanners can find a secret that leaked.
const ClientSecretPrefix = "signet_cs_"
