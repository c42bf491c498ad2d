// Package servertest runs a whole Signet for a test: the real server on a real listener, over the
// embedded store, with a clock that the test moves, and a few clients and a user.
package servertest
