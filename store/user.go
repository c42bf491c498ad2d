package store

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// UserID names a user for ever: the sub of the user's tokens. It is never given to a second user,
// so a name that is used again does not inherit anything.
type UserID [16]byte

// userIDPrefix keeps the subjects of users apart from those of clients (RFC 9068 §5): no client id may begin with it.
const userIDPrefix = "usr_"

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String is the id as it stands in a sub claim.
func (id UserID) String() string { return userIDPrefix + lowerBase32.EncodeToString(id[:]) }

// IsZero reports whether id is the zero value, which no user has.
func (id UserID) IsZero() bool { return id == UserID{} }

// ParseUserID reads what String wrote, and nothing else.
func ParseUserID(s string) (UserID, error) {
	var id UserID
	digits, ok := strings.CutPrefix(s, userIDPrefix)
	if !ok {
		return UserID{}, fmt.Errorf("user id does not begin with %s", userIDPrefix)
	}
	raw, err := lowerBase32.DecodeString(digits)
	if err != nil || len(raw) != len(id) {
		return UserID{}, fmt.Errorf("user id is not %d base32 bytes", len(id))
	}
	copy(id[:], raw)
	if id.String() != s { // the last digit carries spare bits
		return UserID{}, fmt.Errorf("user id is not in its one spelling")
	}
	return id, nil
}

// MarshalText implements encoding.TextMarshaler.
func (id UserID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *UserID) UnmarshalText(text []byte) error {
	parsed, err := ParseUserID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// User is a resource owner (RFC 6749 §1.1): a person with a password.
type User struct {
	ID           UserID                     `json:"id"`
	Username     string                     `json:"username"`                // canonical: the caller has prepared it
	Aliases      []string                   `json:"aliases,omitempty"`       // further names to log in with, canonical; see RenameUser
	PasswordHash string                     `json:"password_hash,omitempty"` // self-describing; empty: cannot log in
	Claims       map[string]json.RawMessage `json:"claims,omitempty"`
	Disabled     bool                       `json:"disabled,omitempty"`
	Move         Move                       `json:"move,omitzero"`
	MovedAt      time.Time                  `json:"moved_at,omitzero"`   // with MoveDone; kept with it alone
	Epoch        uint32                     `json:"epoch,omitempty"`     // sessions begun in another one are dead; see EndSessions
	Revision     uint32                     `json:"revision,omitempty"`  // raised by the store at each change of the record
	NotBefore    time.Time                  `json:"not_before,omitzero"` // sessions begun before this are dead; kept for stores of format 1
	Imported     Imported                   `json:"imported,omitempty"`  // where the password hash comes from
	Breached     bool                       `json:"breached,omitempty"`  // the password was in a list of breached ones at a login
	CreatedAt    time.Time                  `json:"created_at"`
	UpdatedAt    time.Time                  `json:"updated_at"`
}

// Move is where the password of a user is checked: here, or by an upstream, which is a login system that was
// there before. A user whose password is checked elsewhere has no hash here.
type Move uint8

// The values of Move. They are stored.
const (
	MoveNone    Move = 0 // here; the user has never been another's
	MovePending Move = 1 // by the upstream, until it accepts one
	MoveDone    Move = 2 // here; the upstream has accepted the password once
	MoveStay    Move = 3 // by the upstream, at each login
)

var moveNames = [...]string{MoveNone: "none", MovePending: "pending", MoveDone: "done", MoveStay: "stay"}

// String returns the name of m in JSON.
func (m Move) String() string {
	if int(m) < len(moveNames) {
		return moveNames[m]
	}
	return fmt.Sprintf("move(%d)", uint8(m))
}

// MarshalText implements encoding.TextMarshaler.
func (m Move) MarshalText() ([]byte, error) {
	if int(m) >= len(moveNames) {
		return nil, fmt.Errorf("%s is not a state of a move", m)
	}
	return []byte(m.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Move) UnmarshalText(text []byte) error {
	i := slices.Index(moveNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is not a state of a move", text)
	}
	*m = Move(i)
	return nil
}

// EndSessions raises the epoch. The update that writes the record ends every session that is there at
// that moment, whatever time the session began at.
func (u *User) EndSessions() { u.Epoch = NextEpoch(u.Epoch) }

// SetPassword replaces the hash by that of a password that was set here. Empty: the user cannot log in until another is
// set. From now on no upstream is asked, which may still accept the old password.
func (u *User) SetPassword(hash string) {
	u.PasswordHash, u.Imported, u.Breached = hash, u.Imported.setHere(), false
	if u.Move != MoveDone {
		u.Move = MoveNone
	}
}

// Imported records which password hash of another system a user was imported with, and whether a password was set here
// since. A hash that is only stronger, for the same password, changes nothing of it. Empty: the user was not imported.
type Imported string

// setHereMark ends an Imported when a password was set here.
const setHereMark = "!"

func (i Imported) setHere() Imported { return i.Digest() + setHereMark }

// SetHere reports whether a password was set here after the import.
func (i Imported) SetHere() bool { return strings.HasSuffix(string(i), setHereMark) }

// Digest is the name of the imported hash; empty: there was none.
func (i Imported) Digest() Imported { return Imported(strings.TrimSuffix(string(i), setHereMark)) }

// MaxAliases is how many aliases a user has at most.
const MaxAliases = 8

// Names returns the username and the aliases.
func (u *User) Names() []string { return append([]string{u.Username}, u.Aliases...) }

// HasName reports whether it is the username or an alias.
func (u *User) HasName(name string) bool {
	return u.Username == name || slices.Contains(u.Aliases, name)
}

// Users keeps the users, found by id or by canonical name. No name leads to two users, be it a username or an alias.
type Users interface {
	// CreateUser adds u; ErrExists when its id or one of its names is taken.
	CreateUser(ctx context.Context, u User) error
	// User returns the user with that id, or ErrNotFound.
	User(ctx context.Context, id UserID) (User, error)
	// UserByName returns the user with that canonical username or alias, or ErrNotFound.
	UserByName(ctx context.Context, username string) (User, error)
	// UpdateUser changes one user in one step and returns it as it then is. ID and names do not
	// change, and Revision is raised by the store. The function may run more than once; its error comes
	// back as it is and nothing is changed. Where the function calls EndSessions, every session that is
	// there has ended when it returns; so have those that a raised NotBefore ends.
	UpdateUser(ctx context.Context, id UserID, change func(*User) error) (User, error)
	// RenameUser is UpdateUser for the names alone, and UpdatedAt: all else stays as it is, sessions too. It returns ErrExists, and
	// changes nothing, where another user has one of the names. A name that the user does not have any more is free at once. One
	// that broke off left the user with the names from before, with the new ones, or with both; the same call again completes it.
	RenameUser(ctx context.Context, id UserID, change func(*User) error) (User, error)
	// DeleteUser removes the user and every session, or answers ErrNotFound.
	DeleteUser(ctx context.Context, id UserID) error
	// ListUsers returns up to limit users whose usernames sort after the given one, in order.
	ListUsers(ctx context.Context, after string, limit int) ([]User, error)
	// ListUsernames returns the usernames of ListUsers alone, which costs less. One whose user is being created or
	// deleted may be among them.
	ListUsernames(ctx context.Context, after string, limit int) ([]string, error)
}

// ChangedUser is the record that takes the place of was after a change, in a store of a format. endAll reports whether the
// change has ended all sessions.
func ChangedUser(was User, change func(*User) error, format int, now time.Time) (u User, endAll bool, err error) {
	u = was
	u.Claims = maps.Clone(was.Claims)
	if err := change(&u); err != nil {
		return User{}, false, err
	}
	u.ID, u.Username, u.Aliases, u.Revision = was.ID, was.Username, was.Aliases, was.Revision+1
	endAll = u.Epoch != was.Epoch
	if endAll && format < Format2 {
		u.Epoch, u.NotBefore = was.Epoch, Later(Millis(now).Add(time.Millisecond), u.NotBefore)
	}
	return u, endAll, nil
}

// RenamedUser is the record that takes the place of was after a change of names.
func RenamedUser(was User, change func(*User) error) (User, error) {
	next := was
	next.Claims, next.Aliases, next.Revision = maps.Clone(was.Claims), slices.Clone(was.Aliases), was.Revision
	if err := change(&next); err != nil {
		return User{}, err
	}
	u := was
	u.Username, u.UpdatedAt, u.Revision = next.Username, next.UpdatedAt, was.Revision+1
	u.Aliases = nil
	for _, name := range next.Aliases { // in order, without those that would be there twice
		if !u.HasName(name) {
			u.Aliases = append(u.Aliases, name)
		}
	}
	if u.Username == "" || slices.Contains(u.Aliases, "") {
		return User{}, errors.New("a name is empty")
	}
	return u, nil
}
