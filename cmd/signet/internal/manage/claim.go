package manage

import (
	"encoding/json"
	"strings"

	"signet/cmd/signet/internal/cli"
)

const claimHelp = "A claim NAME=VALUE is text, or JSON if VALUE begins with [ or {. NAME:=VALUE is always JSON, such as a\n" +
	"number or true. The tokens of a client have the claims that its --claim-name lists."

// parseClaims reads --claim flags.
func parseClaims(flags []string) (map[string]json.RawMessage, error) {
	claims := map[string]json.RawMessage{}
	for _, s := range flags {
		name, value, err := parseClaim(s)
		if err != nil {
			return nil, err
		}
		claims[name] = value
	}
	return claims, nil
}

func parseClaim(s string) (string, json.RawMessage, error) {
	name, value, found := strings.Cut(s, "=")
	name, typed := strings.CutSuffix(name, ":")
	if !found || name == "" {
		return "", nil, cli.Usagef("--claim %q has no name and value; write it like department=sales", s)
	}
	if !typed && !strings.HasPrefix(value, "[") && !strings.HasPrefix(value, "{") {
		text, err := json.Marshal(value)
		return name, text, err
	}
	if !json.Valid([]byte(value)) {
		return "", nil, cli.Usagef("the value of --claim %s is not JSON; quote it for your shell, like --claim '%s=[\"admin\"]'", name, name)
	}
	return name, json.RawMessage(value), nil
}
