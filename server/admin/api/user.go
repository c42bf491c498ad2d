package api

import (
	"encoding/json"
	"time"
)

// User is a user as the API shows it.
type User struct {
	Subject     string                     `json:"sub"` // never changes
	Username    string                     `json:"username"`
	Aliases     []string                   `json:"aliases,omitempty"` // further names to log in with
	Claims      map[string]json.RawMessage `json:"claims"`
	Disabled    bool                       `json:"disabled"`
	HasPassword bool                       `json:"has_password"`
	Move        string                     `json:"move,omitempty"` // pending, done or stay, see Moved; empty: the user has always been here
	CreatedAt   time.Time                  `json:"created_at"`
	UpdatedAt   time.Time                  `json:"updated_at"`

	PasswordScheme   string `json:"password_scheme,omitempty"`   // of the password hash, such as "argon2id" or "bcrypt"; or SchemeUnusable
	PasswordWeak     bool   `json:"password_weak,omitempty"`     // the hash is weaker than those of new passwords; the next login replaces it
	PasswordBreached bool   `json:"password_breached,omitempty"` // the password was in the list of breached ones at the last login
}

// SchemeUnusable is User.PasswordScheme of a hash that cannot be read, or that asks for more work than is allowed.
const SchemeUnusable = "unusable"

// UserList is a page of users in the order of their names. It may be empty and not the last where a filter leaves users out.
type UserList struct {
	Users []User `json:"users"`
	Next  string `json:"next"` // the after of the next page; empty: this is the last
}

// NewUser is the request of CreateUser.
type NewUser struct {
	Username string                     `json:"username"`
	Aliases  []string                   `json:"aliases,omitempty"`  // further names to log in with, at most 8
	Password *string                    `json:"password,omitempty"` // nil: the user cannot log in until one is set
	Claims   map[string]json.RawMessage `json:"claims"`
}

// UserChanges is the request of UpdateUser. Claims are merged: null removes one, and one that is not named stays (RFC 7396).
type UserChanges struct {
	Claims map[string]json.RawMessage `json:"claims"`
}

// NewName is the request of RenameUser.
type NewName struct {
	Username string `json:"username"`
	KeepOld  bool   `json:"keep_old,omitempty"` // the old one stays an alias; else it is free at once
}

// NewPassword is the request of SetPassword.
type NewPassword struct {
	Password string `json:"password"`
}

// UserRecord is a line of ImportUsers.
type UserRecord struct {
	Username     string                     `json:"username"`
	PasswordHash string                     `json:"password_hash,omitempty"` // empty: the user cannot log in until a password is set
	HashScheme   string                     `json:"hash_scheme,omitempty"`   // where the spelling of the hash does not name it
	ID           json.RawMessage            `json:"id,omitempty"`            // in the old system, text or a number: kept as a claim, see ImportUsers
	Aliases      []string                   `json:"aliases,omitempty"`       // a user who is there gets them with ?on_conflict=update, and keeps others
	Claims       map[string]json.RawMessage `json:"claims,omitempty"`
	Disabled     *bool                      `json:"disabled,omitempty"` // nil: a new user is enabled, and one who is there stays as they are

	// A line of a report of refused lines can be mended and sent again as it is: these are ignored.
	Line   json.RawMessage `json:"line,omitempty"`
	Reason json.RawMessage `json:"reason,omitempty"`
}

// Values of ?on_conflict= of ImportUsers. A line of a user who was imported with the same password hash before changes
// nothing, with all of them.
const (
	ConflictFail   = "fail"   // a line whose username is taken is refused; the default
	ConflictSkip   = "skip"   // it is left out
	ConflictUpdate = "update" // it changes the user who is there
)

// DefaultIDClaim is the claim that keeps UserRecord.ID.
const DefaultIDClaim = "legacy_id"

// NDJSON is the media type of lines of JSON.
const NDJSON = "application/x-ndjson"

// ImportLine is a line of the answer of ImportUsers to a request that accepts NDJSON: one for each line of the body, in
// order, and a last one that has Report or Error alone. An answer without such a line was cut off.
type ImportLine struct {
	Line     int    `json:"line,omitempty"` // from 1
	Username string `json:"username,omitempty"`
	Subject  string `json:"sub,omitempty"`    // of the user who has the name now; empty in a dry run for a user who would be made
	Result   string `json:"result,omitempty"` // one of Import…
	Reason   string `json:"reason,omitempty"` // why it was refused, or why a password was kept

	Report *Report `json:"report,omitempty"` // all of it is done
	Error  *Error  `json:"error,omitempty"`  // it was stopped: what was done before stays
}

// Values of ImportLine.Result.
const (
	ImportCreated   = "created"
	ImportUpdated   = "updated"
	ImportUnchanged = "unchanged"
	ImportSkipped   = "skipped" // another user has the name
	ImportRefused   = "refused"
)

// UserLine is a line of the verbs for many users. A line of an import is one too: the other members are ignored.
type UserLine struct {
	Username     string          `json:"username"` // in any spelling, or a sub
	Aliases      json.RawMessage `json:"aliases,omitempty"`
	Claims       json.RawMessage `json:"claims,omitempty"`
	PasswordHash json.RawMessage `json:"password_hash,omitempty"`
	HashScheme   json.RawMessage `json:"hash_scheme,omitempty"`
	ID           json.RawMessage `json:"id,omitempty"`
	Disabled     json.RawMessage `json:"disabled,omitempty"`
	Line         json.RawMessage `json:"line,omitempty"`
	Reason       json.RawMessage `json:"reason,omitempty"`
}

// MaxRefused bounds Report.Refused.
const MaxRefused = 10_000

// Report is the result of the verbs for many users. A line that is refused does not affect the others.
// Sending the same lines again does no harm.
type Report struct {
	Accepted     int          `json:"accepted"`
	Refused      []ReportLine `json:"refused"`       // the first MaxRefused
	RefusedCount int          `json:"refused_count"` // all of them

	// Of an import, what was done with the accepted lines.
	Created   int `json:"created,omitempty"`
	Updated   int `json:"updated,omitempty"`
	Unchanged int `json:"unchanged,omitempty"`
	Skipped   int `json:"skipped,omitempty"`

	Kept      []ReportLine `json:"kept_passwords,omitempty"` // accepted lines whose user kept a password that was set here; the first MaxRefused
	KeptCount int          `json:"kept_count,omitempty"`     // all of them
	// Hashes of created and updated users that are fast to guess. Each takes a hash where it is not left for later.
	Wrapped   int      `json:"wrapped,omitempty"`    // are hashed once more before they are stored
	WrapLater int      `json:"wrap_later,omitempty"` // are stored as they are until the server has time, or could be
	DryRun    bool     `json:"dry_run,omitempty"`    // nothing was changed: the counts are of what would be
	Warnings  []string `json:"warnings,omitempty"`   // of the whole import
}

// ReportLine is a line that was refused, or that has something to look at.
type ReportLine struct {
	Line     int    `json:"line"` // from 1
	Username string `json:"username"`
	Reason   string `json:"reason"`
}

// Session is one sign-in of a user in a client.
type Session struct {
	ID         string    `json:"sid"`
	ClientID   string    `json:"client_id"`
	Generation uint32    `json:"generation"` // how often it was refreshed
	StartedAt  time.Time `json:"started_at"`
	RotatedAt  time.Time `json:"rotated_at"` // the last refresh, or StartedAt
	ExpiresAt  time.Time `json:"expires_at"` // unless it is refreshed before
}

// SessionList has the sessions that could be refreshed now, oldest first.
type SessionList struct {
	Sessions []Session `json:"sessions"`
}

// SessionsRevoked is the answer of RevokeSessions.
type SessionsRevoked struct {
	Revoked int `json:"revoked"`
}

// ClientsEnded is the answer of RevokeAllSessions.
type ClientsEnded struct {
	Clients int `json:"clients"` // whose sessions and tokens were ended
}

// Limit is what counts against a user or a network at present.
type Limit struct {
	Kind     string     `json:"kind"`    // account, logins, anywhere, client, unknown or admin
	Network  string     `json:"network"` // a prefix, or its size where only a MAC of the network is stored
	Failures int        `json:"failures"`
	UnderWay int        `json:"under_way"`
	Wait     float64    `json:"wait_seconds"` // before the next attempt
	Until    *time.Time `json:"until,omitempty"`
}

// LimitList has the longest waits first.
type LimitList struct {
	Limits []Limit `json:"limits"`
}

// LimitsCleared is the answer of ClearThrottle.
type LimitsCleared struct {
	Cleared int `json:"cleared"`
}

// Moved counts users by where their passwords are checked.
type Moved struct {
	Users       int        `json:"users"`     // all of them
	Moved       int        `json:"moved"`     // came from the upstream, and are checked here since
	NotMoved    int        `json:"not_moved"` // are here, and the upstream is asked until it accepts a password
	Stay        int        `json:"stay"`      // the upstream is asked at each login
	Disabled    int        `json:"disabled"`  // would be one of the two, but are disabled: the upstream is not asked for them
	LastMovedAt *time.Time `json:"last_moved_at,omitempty"`
}
