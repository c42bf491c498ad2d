package layout

import (
	"bytes"
	"errors"
	"fmt"

	"signet/store"
	"signet/store/codec"
)

// ValidSession returns an error for a session that cannot be stored.
func ValidSession(s store.Session) error {
	if s.ID.IsZero() || s.UserID.IsZero() || s.ClientID == "" {
		return errors.New("its id, user or client is missing")
	}
	return nil
}

// SessionKey puts all sessions of a user next to each other.
func SessionKey(user store.UserID, id store.SessionID) []byte {
	key := make([]byte, 0, 2*idSize)
	key = append(key, user[:]...)
	return append(key, id[:]...)
}

// ReadSession reads what lies under the key. clientID is that of a neighbour, which often is the same and saves an
// allocation then.
func ReadSession(tx *Tx, key, sealed []byte, clientID string) (store.Session, error) {
	raw, err := tx.Open(Sessions, key, sealed)
	if err != nil {
		return store.Session{}, err
	}
	return DecodeSession(key, raw, clientID)
}

// DecodeSession is ReadSession for a record without its seal.
func DecodeSession(key, raw []byte, clientID string) (store.Session, error) {
	if len(key) != 2*idSize {
		return store.Session{}, codec.ErrMalformed
	}
	return codec.DecodeSession(store.UserID(key[:idSize]), store.SessionID(key[idSize:]), raw, clientID)
}

// ReadSessions returns the sessions of one user in the order of their ids.
func ReadSessions(tx *Tx, user store.UserID) (list []store.Session, err error) {
	c := tx.Bucket(Sessions).Cursor()
	clientID := ""
	for key, sealed := c.Seek(user[:]); bytes.HasPrefix(key, user[:]); key, sealed = c.Next() {
		s, err := ReadSession(tx, key, sealed, clientID)
		if err != nil {
			return nil, fmt.Errorf("%w: reading the sessions of %s: %w", store.ErrUnavailable, user, err)
		}
		clientID = s.ClientID
		list = append(list, s)
	}
	return list, nil
}

// CodeOf reads a key of Codes.
func CodeOf(key []byte) (store.UsedCode, error) {
	if len(key) != 2*idSize {
		return store.UsedCode{}, codec.ErrMalformed
	}
	return store.UsedCode{UserID: store.UserID(key[:idSize]), SessionID: store.SessionID(key[idSize:])}, nil
}

// EndSession deletes a session and those that began from it, and returns how many there were. A neighbour that cannot be
// read is of no use to anybody, and does not keep this one alive.
func EndSession(tx *Tx, user store.UserID, id store.SessionID) (n int, err error) {
	type ended struct {
		key     []byte
		session store.Session
	}
	var all []ended
	c := tx.Bucket(Sessions).Cursor()
	for key, sealed := c.Seek(user[:]); bytes.HasPrefix(key, user[:]); key, sealed = c.Next() {
		s, err := ReadSession(tx, key, sealed, "")
		if bytes.Equal(key[idSize:], id[:]) || err == nil && s.Parent == id {
			all = append(all, ended{bytes.Clone(key), s})
		}
	}
	for _, e := range all {
		if err := deleteSession(tx, e.key, e.session); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// DeleteSession deletes a session, and puts the logout in the queue where its client is to be informed.
func DeleteSession(tx *Tx, s store.Session) error {
	return deleteSession(tx, SessionKey(s.UserID, s.ID), s)
}

// deleteSession is DeleteSession for one that may be unreadable, and has no client then.
func deleteSession(tx *Tx, key []byte, s store.Session) error {
	if err := tx.Delete(Sessions, key); err != nil || s.ClientID == "" {
		return err
	}
	return queueLogout(tx, s)
}

// DeleteSessions deletes the sessions of one user that end accepts, and returns how many there were.
func DeleteSessions(tx *Tx, user store.UserID, end func(store.Session) bool) (int, error) {
	all, err := ReadSessions(tx, user)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, s := range all {
		if !end(s) {
			continue
		}
		if err := DeleteSession(tx, s); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
