package server

import (
	"crypto/rand"

	"signet/server/edge"
)

// randomBytes fills b. crypto/rand.Read never fails: it ends the process rather than return less than it
// was asked for.
func randomBytes(b []byte) { _, _ = rand.Read(b) }

// ClientSecretPrefix lets secret scanners spot a client secret that leaked.
const ClientSecretPrefix = "signet_cs_"

// newClientSecret has 256 random bits, from letters that stand for themselves in every encoding.
func newClientSecret() string { return ClientSecretPrefix + edge.RandomText(32) }
