package api

import "time"

// Key is a signing key. A time that is not planned is left out.
type Key struct {
	KID         string    `json:"kid"`
	Alg         string    `json:"alg"`
	State       string    `json:"state"` // pending, active, retired, removed or revoked
	Held        string    `json:"held"`  // where the private half is: local, or hsm
	Since       time.Time `json:"since"` // in that state
	CreatedAt   time.Time `json:"created_at"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	ActivatesAt time.Time `json:"activates_at,omitzero"`
	RetiresAt   time.Time `json:"retires_at,omitzero"`
	RemovedAt   time.Time `json:"removed_at,omitzero"`
	Next        string    `json:"next,omitempty"` // published, or the next state
	NextAt      time.Time `json:"next_at,omitzero"`
}

// Replica is a server that runs on the same store.
type Replica struct {
	Replica        string    `json:"replica"` // random per process
	KeyringVersion uint64    `json:"keyring_version"`
	At             time.Time `json:"at"`                    // when it was last heard of
	MasterKeys     string    `json:"master_keys,omitempty"` // hints of those it has, separated by commas
	Issuer         string    `json:"issuer,omitempty"`
	Timetable      string    `json:"timetable,omitempty"` // of the signing keys: settings and values, separated by spaces
	Format         int       `json:"format,omitempty"`    // the newest format of records that it can write
}

// KeyList is the answer of ListKeys.
type KeyList struct {
	Version  uint64    `json:"version"` // of the keyring
	Keys     []Key     `json:"keys"`
	Replicas []Replica `json:"replicas"`
}

// KeyRotation is the request of RotateKeys.
type KeyRotation struct {
	Alg       string `json:"alg"`       // empty: every algorithm
	Emergency bool   `json:"emergency"` // the next key signs at once, also where some verifiers do not have it
}

// RotatedKeys is the answer of RotateKeys.
type RotatedKeys struct {
	KeyList
	ActivatesAt time.Time  `json:"activates_at,omitzero"` // when the last of the new keys signs
	Rotations   []Rotation `json:"rotations,omitempty"`   // what an emergency rotation did
}

// Rotation is what an emergency rotation did for one algorithm.
type Rotation struct {
	Alg     string     `json:"alg"`
	At      time.Time  `json:"at"`
	Version uint64     `json:"version"` // of the keyring that has it
	Retired string     `json:"retired"` // the kid that signed until then; its tokens stay valid
	Signer  *Successor `json:"signer"`
	Standby *Successor `json:"standby"` // signs next
}

// Successor is a key that signs after another one.
type Successor struct {
	KID         string    `json:"kid"`
	PublishedAt time.Time `json:"published_at"`
	KnownAt     time.Time `json:"known_at"` // from here every verifier that obeys cache times has it
	SignsFrom   time.Time `json:"signs_from"`
}

// Aged reports whether every verifier that obeys cache times has the key at now.
func (s Successor) Aged(now time.Time) bool { return !now.Before(s.KnownAt) }

// KeyRevocation is the request of RevokeKey.
type KeyRevocation struct {
	Emergency bool `json:"emergency"` // also where some verifiers do not have the next key
}

// RevokedKey is the answer of RevokeKey.
type RevokedKey struct {
	KID     string    `json:"kid"`
	Alg     string    `json:"alg"`
	Was     string    `json:"was"` // its state before
	At      time.Time `json:"at"`
	Version uint64    `json:"version"` // of the keyring that no longer has it

	Signer  *Successor `json:"signer,omitempty"`  // signs now
	Standby *Successor `json:"standby,omitempty"` // signs next

	Exposure Exposure `json:"exposure"` // with every replica at Version
	Unread   Exposure `json:"unread"`   // with a replica that cannot read the keyring

	Aged bool `json:"aged"` // every verifier that obeys cache times had the signer

	// The durations that Exposure and Unread result from.
	CacheTime    string `json:"cache_time"` // for how long the key set may be cached
	PublishTime  string `json:"publish_time"`
	ServeStale   string `json:"serve_stale"`
	SignStale    string `json:"sign_stale"`
	MaxTokenLife string `json:"max_token_life"`
}

// Exposure is how long verifiers that use the key set can accept tokens of a revoked key.
type Exposure struct {
	Expired   time.Time `json:"expired,omitzero"` // tokens that the server signed have expired; zero: it signed none
	Forgotten time.Time `json:"forgotten"`        // verifiers that obey cache times have dropped the key
}

// Genuine is when verifiers that obey cache times refuse the last token that the server signed.
func (e Exposure) Genuine() time.Time {
	if e.Expired.Before(e.Forgotten) {
		return e.Expired
	}
	return e.Forgotten
}

// RewrappedKeys is the answer of RewrapKeys.
type RewrappedKeys struct {
	At          time.Time `json:"at"`
	Version     uint64    `json:"version"`               // of the keyring that is sealed under the first master key
	Changed     bool      `json:"changed"`               // false: it was before
	MasterKeys  []string  `json:"master_keys"`           // hints of those that this server has, the first in use
	NeededUntil time.Time `json:"needed_until,omitzero"` // the second key, for refresh tokens; zero: there is none
}

// ClockReset is the answer of ResetClock.
type ClockReset struct {
	At      time.Time `json:"at"`      // of this server's clock, which counts from now on
	SeenAt  time.Time `json:"seen_at"` // the latest time that had been seen
	Version uint64    `json:"version"`
	Changed bool      `json:"changed"` // false: the clock was not behind, and nothing was done
}

// KeyPlan is what the keyring will do without further requests.
type KeyPlan struct {
	Version uint64        `json:"version"`
	From    time.Time     `json:"from"`
	Until   time.Time     `json:"until"`
	Cut     bool          `json:"cut"` // Until is sooner than requested: there were too many keys
	Keys    []PlannedKey  `json:"keys"`
	Steps   []PlannedStep `json:"steps"`
}

// PlannedKey is a key that exists, or one that will be made: that one has a letter for a name and no kid.
type PlannedKey struct {
	Name        string    `json:"name"`
	KID         string    `json:"kid,omitempty"`
	Alg         string    `json:"alg"`
	State       string    `json:"state,omitempty"` // at present
	PublishedAt time.Time `json:"published_at"`
	ActivatesAt time.Time `json:"activates_at"`
	RetiresAt   time.Time `json:"retires_at,omitzero"`
	RemovedAt   time.Time `json:"removed_at,omitzero"`
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
}

// PlannedStep is a step of one key.
type PlannedStep struct {
	At   time.Time `json:"at"`
	Step string    `json:"step"` // published, or the state that begins
	Name string    `json:"name"`
	Alg  string    `json:"alg"`
}
