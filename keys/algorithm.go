package keys

// The algorithms by their RFC 7518 and RFC 8037 names.
const (
	ES256 = "ES256"
	RS256 = "RS256"
	PS256 = "PS256"
	EdDSA = "EdDSA"
)

var supported = []string{ES256, RS256, PS256, EdDSA}

type privateKey struct{}
