package bolt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
	"signet/store/codec"
	"signet/store/seal"
)

// importBatch is how many records share a transaction: enough that a commit costs little, few enough
// that the pages it has changed need little memory.
const importBatch = 4096

// Import makes a new store at path from what was exported elsewhere; see store.Importer. Nothing is
// at path before all of it is there and synced: an import that breaks off leaves nothing, one that is
// killed a file beside it. It answers store.ErrExists where there is a file already.
func Import(ctx context.Context, path string, seals *seal.Keys, f store.Manifest, records iter.Seq2[store.Record, error]) error {
	exists := fmt.Errorf("the store %s: %w", path, store.ErrExists)
	if _, err := os.Lstat(path); err == nil {
		return exists
	}
	made, err := file.Make(path, func(tmp string) error { return fillInOrder(ctx, tmp, seals, f, records) })
	if err == nil && !made {
		return exists
	}
	return err
}

// fillInOrder writes the records as they come into a file beside path, and from there in the order of
// their keys: pages that are filled at random are half empty. No step needs more memory than a batch.
func fillInOrder(ctx context.Context, path string, seals *seal.Keys, f store.Manifest, records iter.Seq2[store.Record, error]) error {
	unordered := path + ".unordered"
	defer os.Remove(unordered)
	if err := fill(ctx, unordered, seals, f, records); err != nil {
		return err
	}
	made, err := file.Open(unordered, false)
	if err != nil {
		return err
	}
	err = made.DB.View(func(tx *bbolt.Tx) error { return file.Copy(tx, path, ctx.Err) })
	return errors.Join(err, made.DB.Close())
}

// fill syncs once, at the end: until then the file does not have its name.
func fill(ctx context.Context, path string, seals *seal.Keys, f store.Manifest, records iter.Seq2[store.Record, error]) (err error) {
	if err := layout.Initialise(path); err != nil {
		return err
	}
	opened, err := file.Open(path, false)
	if err != nil {
		return err
	}
	db := opened.DB
	defer func() { err = errors.Join(err, db.Close()) }()
	db.NoSync, db.NoGrowSync = true, true
	update := func(write func(t *layout.Tx) error) error {
		return db.Update(func(tx *bbolt.Tx) error { return write(&layout.Tx{Tx: tx, Seals: seals, Format: Schema}) })
	}
	in := intake{}
	for r, err := range records {
		if err == nil {
			err = ctx.Err()
		}
		if in.batch = append(in.batch, r); err == nil && len(in.batch) == importBatch {
			err = update(in.write)
		}
		if err != nil {
			return err
		}
	}
	if err := update(in.write); err != nil {
		return err
	}
	if err := update(func(t *layout.Tx) error { return putManifest(t, f) }); err != nil {
		return err
	}
	return db.Sync()
}

// intake is an import under way.
type intake struct {
	batch []store.Record // that are not written yet
	seq   uint64         // of the last event
}

func (in *intake) write(t *layout.Tx) error {
	for _, r := range in.batch {
		if err := in.put(t, r); err != nil {
			return err
		}
	}
	in.batch = in.batch[:0]
	return nil
}

func (in *intake) put(t *layout.Tx, r store.Record) error {
	switch {
	case r.Client != nil:
		return importClient(t, *r.Client)
	case r.User != nil:
		return importUser(t, *r.User)
	case r.Session != nil:
		return importSession(t, *r.Session)
	case r.RevokedToken != nil:
		return importRevokedToken(t, *r.RevokedToken)
	case r.UsedAssertion != nil:
		return layout.PutMark(t, layout.Assertions, r.UsedAssertion.ID[:], r.UsedAssertion.Until)
	case r.UsedCode != nil:
		return layout.PutMark(t, layout.Codes, layout.SessionKey(r.UsedCode.UserID, r.UsedCode.SessionID), r.UsedCode.Until)
	case r.Loss != nil:
		return layout.PutLoss(t, *r.Loss)
	case r.Event != nil:
		in.seq++
		e := *r.Event
		e.Seq, e.At = in.seq, store.Millis(e.At)
		return layout.PutEvent(t, e)
	default:
		return errors.New("a record is empty")
	}
}

func importClient(t *layout.Tx, c store.Client) error {
	if err := layout.ValidClient(c); err != nil {
		return err
	}
	if t.Raw(layout.Clients, []byte(c.ID)) != nil {
		return fmt.Errorf("client %q is there twice", c.ID)
	}
	raw, err := codec.EncodeClient(c, Schema)
	if err != nil {
		return err
	}
	return t.Put(layout.Clients, []byte(c.ID), raw)
}

func importUser(t *layout.Tx, u store.User) error {
	if err := layout.ValidUser(u); err != nil {
		return err
	}
	if t.Raw(layout.Users, u.ID[:]) != nil {
		return fmt.Errorf("user %s is there twice", u.ID)
	}
	if t.Raw(layout.Usernames, []byte(u.Username)) != nil {
		return fmt.Errorf("user %s: another has the username %q too", u.ID, u.Username)
	}
	return layout.PutUser(t, u, codec.EncodeUser(u, Schema))
}

// importSession keeps the session as it is: what its user's NotBefore has ended stays ended by it.
func importSession(t *layout.Tx, s store.Session) error {
	if err := layout.ValidSession(s); err != nil {
		return fmt.Errorf("session %s: %w", s.ID, err)
	}
	if t.Raw(layout.Users, s.UserID[:]) == nil {
		return fmt.Errorf("session %s: its user %s has not come before it", s.ID, s.UserID)
	}
	key := layout.SessionKey(s.UserID, s.ID)
	if t.Raw(layout.Sessions, key) != nil {
		return fmt.Errorf("session %s is there twice", s.ID)
	}
	if t.Raw(layout.Clients, []byte(s.ClientID)) == nil { // it was deleted, and one that is made anew must not inherit this
		if err := layout.RaiseClientEpoch(t, store.NextEpoch(s.ClientEpoch)); err != nil {
			return err
		}
	}
	return t.Put(layout.Sessions, key, codec.EncodeSession(s, Schema))
}

func importRevokedToken(t *layout.Tx, token store.RevokedToken) error {
	if err := layout.ValidJTI(token.JTI); err != nil {
		return fmt.Errorf("revoked token: %w", err)
	}
	return layout.PutMark(t, layout.Revoked, []byte(token.JTI), token.Until)
}

// putManifest writes the install with the layout that these records have here.
func putManifest(t *layout.Tx, f store.Manifest) error {
	if f.Install.ID == "" || f.KeyringVersion == 0 || len(f.Keyring) == 0 {
		return errors.New("the install or the keyring is missing")
	}
	f.Install.Schema = Schema
	if err := layout.PutInstall(t, f.Install); err != nil {
		return err
	}
	return layout.PutKeyring(t, f.KeyringVersion, f.Keyring)
}
