package syntax

// Grant types (RFC 6749 §4.3.2, §4.4.2, §6).
const (
	GrantPassword          = "password"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
)

// GrantTypes are all of them.
var GrantTypes = []string{GrantPassword, GrantRefreshToken, GrantClientCredentials}
