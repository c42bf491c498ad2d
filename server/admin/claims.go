package admin

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"signet/server/account"
)

// mergeClaims is account.MergeClaims with its error as a response.
func mergeClaims(claims, changes map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	merged, err := account.MergeClaims(claims, changes)
	if err != nil {
		return nil, invalid("%s", err)
	}
	return merged, nil
}

func claimNames(claims map[string]json.RawMessage) string {
	return strings.Join(slices.Sorted(maps.Keys(claims)), " ")
}
