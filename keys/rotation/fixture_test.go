package rotation

import (
	"slices"
	"time"
)

var testStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	es256 = "ES256"
	rs256 = "RS256"
	edDSA = "EdDSA"
)

var algorithms = []string{es256, rs256, "PS256", edDSA}

// fakeKeys supplies any number of keys. Their kids are not those of placeholders in a plan.
func fakeKeys() *Fresh { return &Fresh{letters: 1 << 30} }

func activeOf(r Keyring, alg string, now time.Time) []Key {
	return slices.DeleteFunc(r.At(now).Active, func(k Key) bool { return k.Alg != alg })
}
