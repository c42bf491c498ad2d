// Package drill rehearses a key rotation on a staging deployment.
//
// It does what clients and services do: it requests tokens, verifies them with the published key set, and calls a
// service with them, before, during and after a rotation. Its report names every check that failed, and how long the
// new key was in the key set before it signed.
package drill
