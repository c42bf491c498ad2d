package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"signet/store"
	"signet/store/bolt/layout"
	"signet/store/bolt/trail"
	"signet/store/codec"
)

// Manifest implements store.Exporter.
func (s *Store) Manifest(ctx context.Context) (f store.Manifest, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		if f.Install, err = layout.ReadInstall(tx); err != nil {
			return err
		}
		f.KeyringVersion, f.Keyring, err = layout.ReadKeyring(tx)
		if err == nil && f.KeyringVersion == 0 {
			err = fmt.Errorf("keyring: %w", store.ErrNotFound)
		}
		f.Keyring = bytes.Clone(f.Keyring)
		return err
	})
	return f, err
}

// Export implements store.Exporter. It shows one moment: clients, users each with its sessions behind
// it, revoked tokens, used assertions and codes, events. A record that cannot be read ends it: what is left out of a move is lost.
func (s *Store) Export(ctx context.Context, visit func(store.Record) error) error {
	waiting := s.trail.Waiting() // before the snapshot, so that none is missed between the two
	return s.db.View(ctx, func(tx *layout.Tx) error {
		e := export{tx: tx, waiting: waiting, visit: func(r store.Record) error {
			if err := s.db.Usable(ctx); err != nil {
				return err
			}
			return visit(r)
		}}
		for _, walk := range []func() error{e.clients, e.users, e.revokedTokens, e.assertions, e.codes, e.loss, e.events} {
			if err := walk(); err != nil {
				return err
			}
		}
		return nil
	})
}

// export is one walk through a snapshot.
type export struct {
	tx      *layout.Tx
	waiting []store.Event
	visit   func(store.Record) error
}

// each visits the records of a bucket. In an error name is the format of a record's name, with its key.
func (e *export) each(b *layout.Bucket, name string, read func(key, sealed []byte) (store.Record, error)) error {
	return e.tx.Bucket(b).ForEach(func(key, sealed []byte) error {
		r, err := read(key, sealed)
		if err != nil {
			return unreadable(fmt.Sprintf(name, key), err)
		}
		return e.visit(r)
	})
}

func (e *export) clients() error {
	return e.each(layout.Clients, "client %q", func(id, sealed []byte) (store.Record, error) {
		c, err := layout.ReadClient(e.tx, id, sealed)
		return store.Record{Client: &c}, err
	})
}

// users walks through the users and the sessions side by side: both are in the order of user ids.
func (e *export) users() error {
	sessions := e.tx.Bucket(layout.Sessions).Cursor()
	key, sealed := sessions.First()
	clientID := "" // of the last session: neighbours often have the same
	err := e.tx.Bucket(layout.Users).ForEach(func(id, raw []byte) error {
		u, err := layout.DecodeUser(e.tx, id, raw)
		if err != nil {
			return unreadable(fmt.Sprintf("user %x", id), err)
		}
		err = e.visit(store.Record{User: &u})
		for ; err == nil && bytes.HasPrefix(key, id); key, sealed = sessions.Next() {
			s, err := layout.ReadSession(e.tx, key, sealed, clientID)
			if err != nil {
				return unreadable(fmt.Sprintf("session %x", key), err)
			}
			clientID = s.ClientID
			if err := e.visit(store.Record{Session: &s}); err != nil {
				return err
			}
		}
		return err
	})
	if err == nil && key != nil {
		err = unreadable(fmt.Sprintf("session %x", key), errors.New("its user is not there"))
	}
	return err
}

func (e *export) revokedTokens() error {
	return e.each(layout.Revoked, "revoked token %q", func(jti, sealed []byte) (store.Record, error) {
		until, err := layout.ReadTime(e.tx, layout.Revoked, jti, sealed)
		return store.Record{RevokedToken: &store.RevokedToken{JTI: string(jti), Until: until}}, err
	})
}

func (e *export) assertions() error {
	return e.each(layout.Assertions, "used assertion %x", func(id, sealed []byte) (store.Record, error) {
		until, err := layout.ReadTime(e.tx, layout.Assertions, id, sealed)
		if err == nil && len(id) != len(store.AssertionID{}) {
			err = codec.ErrMalformed
		}
		if err != nil {
			return store.Record{}, err
		}
		return store.Record{UsedAssertion: &store.UsedAssertion{ID: store.AssertionID(id), Until: until}}, nil
	})
}

func (e *export) codes() error {
	return e.each(layout.Codes, "redeemed code %x", func(key, sealed []byte) (store.Record, error) {
		until, err := layout.ReadTime(e.tx, layout.Codes, key, sealed)
		c, malformed := layout.CodeOf(key)
		c.Until = until
		return store.Record{UsedCode: &c}, errors.Join(err, malformed)
	})
}

func (e *export) loss() error {
	l, err := layout.ReadLoss(e.tx)
	if err != nil || l.At.IsZero() {
		return err
	}
	return e.visit(store.Record{Loss: &l})
}

func (e *export) events() error {
	err := e.each(layout.Audit, "audit event %x", func(seq, sealed []byte) (store.Record, error) {
		event, err := layout.ReadEvent(e.tx, seq, sealed)
		return store.Record{Event: &event}, err
	})
	for _, event := range trail.Uncommitted(e.tx, e.waiting) {
		if err != nil {
			break
		}
		err = e.visit(store.Record{Event: &event})
	}
	return err
}

func unreadable(what string, err error) error {
	return fmt.Errorf("%w: exporting %s: %w", store.ErrUnavailable, what, err)
}
