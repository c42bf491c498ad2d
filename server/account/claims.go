package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"signet/server/edge"
	"signet/server/syntax"
)

// maxClaims bounds a user's claims as JSON, in bytes. All of them may be in a token, which is sent in a header.
const maxClaims = 8 << 10

// MergeClaims returns claims with changes applied (RFC 7396, one level deep). It modifies neither. An error names what
// cannot be a claim of a user.
func MergeClaims(claims, changes map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	merged := maps.Clone(claims)
	if merged == nil {
		merged = make(map[string]json.RawMessage, len(changes))
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		_, there := merged[name]
		removed := there && string(bytes.TrimSpace(changes[name])) == "null"
		if why := syntax.CheckClaim(name); why != "" && !removed { // an old record may have a name that is reserved now
			return nil, fmt.Errorf("claims: %s %s", edge.QuoteShort(name), why)
		}
		var value bytes.Buffer
		if err := json.Compact(&value, changes[name]); err != nil {
			return nil, fmt.Errorf("claims: the value of %s is not valid JSON", edge.QuoteShort(name))
		}
		if value.String() == "null" {
			delete(merged, name)
		} else {
			merged[name] = value.Bytes()
		}
	}
	if whole, err := json.Marshal(merged); err != nil || len(whole) > maxClaims {
		return nil, errors.New("claims take more than 8 KiB as JSON; keep large facts elsewhere, under the user's sub")
	}
	return merged, nil
}
