package jose

import (
	"encoding/json"
	"fmt"
	"time"
)

// ClaimTime reads a NumericDate (RFC 7519 §2); the zero time where there is none.
func ClaimTime(claims map[string]json.RawMessage, name string) (time.Time, error) {
	raw, there := claims[name]
	if !there {
		return time.Time{}, nil
	}
	var seconds *float64
	if json.Unmarshal(raw, &seconds) != nil || seconds == nil || *seconds < 1 || *seconds > 1<<40 {
		return time.Time{}, fmt.Errorf("%s is not a time in seconds since 1970", name)
	}
	return time.UnixMilli(int64(*seconds * 1000)), nil
}

// ClaimText reads a string.
func ClaimText(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}
