package store

import "context"

// Hint says that something was changed through another replica.
type Hint struct {
	Kind HintKind
	ID   string // of the client; empty for the keyring
}

// HintKind is what a Hint is about.
type HintKind string

const (
	HintClient  HintKind = "client"
	HintKeyring HintKind = "keyring"
)

// Hints passes the word between the replicas that share a backend. A hint may be lost: whoever
// follows them asks for himself as well, from time to time.
type Hints interface {
	// Watch calls on for each hint, one at a time, until ctx ends. Its own changes may be among them.
	Watch(ctx context.Context, on func(Hint))
}
