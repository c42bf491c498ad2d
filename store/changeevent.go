package store

import "context"

// ChangeEvent is a change that was made through another replica.
type ChangeEvent struct {
	Kind ChangeKind
	ID   string // of the client; empty for the keyring
}

// ChangeKind is what was changed.
type ChangeKind string

// The kinds of changes.
const (
	ClientChanged  ChangeKind = "client"
	KeyringChanged ChangeKind = "keyring"
)

// ChangeEvents delivers best-effort change notifications between the replicas that share a backend. They can be lost, so
// subscribers must also poll.
type ChangeEvents interface {
	// Subscribe calls on for each event, one at a time, until ctx ends. The replica's own changes may be among them.
	Subscribe(ctx context.Context, on func(ChangeEvent))
}
