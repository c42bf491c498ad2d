package store

import (
	"context"
	"time"
)

// Store is a whole backend. Code that needs less should ask for the small interface.
type Store interface {
	Installs
	Clients
	Users
	Sessions
	Logouts
	Logins
	Revocations
	Assertions
	Keyrings
	Heartbeats
	Throttle
	Audit
	ChangeEvents
	Losses

	// Ping returns nil when the backend can read and write at this moment, else an error that wraps
	// ErrUnavailable and gives the operator the reason.
	Ping(ctx context.Context) error

	// Sweep deletes some of what ran out before now (sessions, revoked token ids, used assertions,
	// throttle counts) and returns how many records went. It does a bounded amount of work; call it
	// again later.
	Sweep(ctx context.Context, now time.Time, limits Lifetimes) (int, error)

	// Close flushes and releases everything. It is safe to call twice.
	Close() error
}

// Install names one installation: all data in a backend belong to it, and sealed documents are bound to it.
type Install struct {
	ID        string    `json:"id"`     // random, made once
	Schema    int       `json:"schema"` // format of the records, see Format2; a backend refuses a newer one with ErrSchema when it opens
	CreatedAt time.Time `json:"created_at"`
}

// Installs keeps the one Install record.
type Installs interface {
	// Install returns the record, or ErrNotFound where none was ever created.
	Install(ctx context.Context) (Install, error)
	// CreateInstall writes it once; a second time is ErrExists.
	CreateInstall(ctx context.Context, in Install) error
	// Format is the format of the records that are written, see Format2.
	Format() int
}

// Keyrings keeps the sealed keyring: opaque bytes under a version number.
type Keyrings interface {
	// LoadKeyring returns the current document. Version 0 with no bytes means that there is none.
	LoadKeyring(ctx context.Context) (version uint64, document []byte, err error)
	// SwapKeyring writes document as version next if the stored version is still old; it reports
	// whether it did. It never lowers a version: next must be greater than old.
	SwapKeyring(ctx context.Context, old, next uint64, document []byte) (swapped bool, err error)
}

// Heartbeat is what one replica reports of itself.
type Heartbeat struct {
	Replica        string    `json:"replica"` // random per process
	KeyringVersion uint64    `json:"keyring_version"`
	At             time.Time `json:"at"`
	MasterKeys     string    `json:"master_keys,omitempty"` // hints of those it has, separated by commas
	Issuer         string    `json:"issuer,omitempty"`      // that it runs with
	Timetable      string    `json:"timetable,omitempty"`   // of the signing keys: settings and values, separated by spaces
	Format         int       `json:"format,omitempty"`      // the newest format of records that it can write; 0: an older version
}

// Heartbeats stores the last report of each replica. They need not survive a restart.
type Heartbeats interface {
	// Beat stores hb until ttl after hb.At.
	Beat(ctx context.Context, hb Heartbeat, ttl time.Duration) error
	// Beats returns the heartbeats that have not run out at now, ordered by replica.
	Beats(ctx context.Context, now time.Time) ([]Heartbeat, error)
}
