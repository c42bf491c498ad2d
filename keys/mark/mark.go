package mark

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"signet/keys/masterkey"
)

// Storage keeps the mark of one replica.
type Storage interface {
	// LoadMark returns what SaveMark wrote last; nil without an error where there is nothing.
	LoadMark() ([]byte, error)
	// SaveMark replaces it in one step that survives a crash.
	SaveMark([]byte) error
}

// Mark is what a replica remembers of the keyring over a restart.
type Mark struct {
	Install     string    `json:"install"`
	Version     uint64    `json:"version"`           // the highest version of the keyring that it has held
	Revoked     []string  `json:"revoked,omitempty"` // kids, the newest last
	SeenAt      time.Time `json:"seen_at"`           // the latest time that was seen
	ClockResets uint32    `json:"clock_resets,omitempty"`
}

const (
	maxRevoked = 1000 // beyond them the oldest are left to the keyring
	maxSize    = 1 << 20
)

// Problem is what is wrong between a mark and the keyring.
type Problem string

// The kinds of problem.
const (
	Damaged  Problem = "damaged"  // it is not a mark
	Unproved Problem = "unproved" // no master key proves it: it was made with another, or was changed since
	Foreign  Problem = "foreign"  // it is of another install
	Newer    Problem = "newer"    // the keyring in the store is older than the mark
	Revoked  Problem = "revoked"  // the keyring has a key in use that is revoked in the mark
)

// Error: the mark and the keyring do not fit together. Nothing was changed.
type Error struct {
	Problem Problem
	Mark    Mark   // empty for Damaged and Unproved
	Install string // of the keyring
	Version uint64 // of the keyring
	KID     string // Revoked only
}

// Error implements error.
func (e *Error) Error() string {
	switch e.Problem {
	case Foreign:
		return fmt.Sprintf("the mark is of install %s, and the store holds install %s", e.Mark.Install, e.Install)
	case Newer:
		return fmt.Sprintf("the store holds version %d of the keyring, and this server has held version %d: the store was set back", e.Version, e.Mark.Version)
	case Revoked:
		return fmt.Sprintf("the keyring in the store has key %s in use, which was revoked: the store was set back", e.KID)
	case Unproved:
		return "the mark was made with another master key, or was changed since"
	}
	return "the mark is damaged"
}

// line is a mark as it is written: the mark itself, and a MAC over its bytes by each master key that
// was live, so that any one of them proves it.
type line struct {
	Mark json.RawMessage   `json:"mark"`
	MACs map[string][]byte `json:"macs"` // by the hint of the master key
}

func mac(key masterkey.Key, mark []byte) []byte {
	derived := key.Derive("signet keyring mark v1")
	h := hmac.New(sha256.New, derived[:])
	h.Write(mark)
	return h.Sum(nil)
}

func encode(mark Mark, master []masterkey.Key) ([]byte, error) {
	body, err := json.Marshal(mark)
	if err != nil {
		return nil, fmt.Errorf("encoding the mark: %w", err)
	}
	l := line{Mark: body, MACs: map[string][]byte{}}
	for _, key := range master {
		l.MACs[key.Hint()] = mac(key, body)
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encoding the mark: %w", err)
	}
	return append(text, '\n'), nil
}

// decode uses nothing before a MAC has proved it.
func decode(text []byte, install string, master []masterkey.Key) (Mark, error) {
	var l line
	if len(text) > maxSize || json.Unmarshal(text, &l) != nil || len(l.Mark) == 0 {
		return Mark{}, &Error{Problem: Damaged, Install: install}
	}
	proved := false
	for _, key := range master {
		if hmac.Equal(l.MACs[key.Hint()], mac(key, l.Mark)) {
			proved = true
		}
	}
	if !proved {
		return Mark{}, &Error{Problem: Unproved, Install: install}
	}
	var mark Mark
	if json.Unmarshal(l.Mark, &mark) != nil {
		return Mark{}, &Error{Problem: Damaged, Install: install}
	}
	return mark, nil
}

// Read returns the mark in storage; ok is false where there is none. The error is an Error if it is damaged,
// unproved, or another install's; in the last case the mark is returned too.
func Read(storage Storage, install string, master []masterkey.Key) (mark Mark, ok bool, err error) {
	text, err := storage.LoadMark()
	if err != nil {
		return Mark{}, false, fmt.Errorf("reading the mark of the keyring: %w", err)
	}
	if text == nil {
		return Mark{}, false, nil
	}
	if mark, err = decode(text, install, master); err != nil {
		return Mark{}, false, err
	}
	if mark.Install != install {
		return mark, false, &Error{Problem: Foreign, Mark: mark, Install: install}
	}
	return mark, true, nil
}

// Peek reads a mark without a proof of it; ok is false where there is none. It is for commands that have no
// master key.
func Peek(storage Storage) (mark Mark, ok bool) {
	text, err := storage.LoadMark()
	var l line
	if err != nil || json.Unmarshal(text, &l) != nil || json.Unmarshal(l.Mark, &mark) != nil {
		return Mark{}, false
	}
	return mark, mark.Install != ""
}
