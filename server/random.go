package server

import (
	"crypto/rand"
	"encoding/base64"
)

// Every random value that Signet hands out is made here. crypto/rand.Read never fails: it ends the
// process rather than return less than it was asked for.

// randomBytes fills b.
func randomBytes(b []byte) { _, _ = rand.Read(b) }

// randomText is n random bytes in base64url.
func randomText(n int) string {
	b := make([]byte, n)
	randomBytes(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ClientSecretPrefix lets secret scanners spot a client secret that leaked.
const ClientSecretPrefix = "signet_cs_"

// newClientSecret has 256 random bits, from letters that stand for themselves in every encoding.
func newClientSecret() string { return ClientSecretPrefix + randomText(32) }
