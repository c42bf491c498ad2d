package server

import "crypto/rand"

// randomBytes fills b. crypto/rand.Read never fails: it ends the process rather than return less than it
// was asked for.
func randomBytes(b []byte) { _, _ = rand.Read(b) }
