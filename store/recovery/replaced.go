package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/store"
)

// Source is a store that is replaced and can still be read.
type Source interface {
	Manifest(ctx context.Context) (store.Manifest, error)
	Export(ctx context.Context, visit func(store.Record) error) error
	User(ctx context.Context, id store.UserID) (store.User, error)
	Client(ctx context.Context, id string) (store.Client, error)
	TokenState(ctx context.Context, ref store.TokenRef) (store.TokenState, error)
}

// Replaced is the store that a restore replaces. Its state counts before any event.
type Replaced struct {
	Manifest store.Manifest

	source    Source    // nil: only its keyring is known
	moment    time.Time // of its newest record
	successor bool      // it is at least as new as the backup, so what is absent in it was deleted

	seq   uint64 // the highest of its events
	since uint64 // how many of its events are from after the backup
	gap   uint64 // how many events from after the backup its trail no longer has
}

// clockDifference is how far the clocks may be apart of the machines that wrote a backup and a store.
const clockDifference = time.Minute

// ReadReplaced reads the store once. Its events, revoked tokens, used assertions and codes go into h. f is the
// backup's manifest and asOf the moment that it shows. An error means that nothing was learned that
// could be relied on; h may have some of it, all of which is true.
func ReadReplaced(ctx context.Context, source Source, h *History, f store.Manifest, asOf time.Time) (*Replaced, error) {
	own, err := source.Manifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("its keyring: %w", err)
	}
	r := &Replaced{Manifest: own, source: source}
	if own.Install.ID != f.Install.ID {
		return r, nil // for the caller to refuse
	}
	err = source.Export(ctx, func(record store.Record) error {
		r.moment = latest(r.moment, record.ChangedAt())
		switch {
		case record.Event != nil:
			r.count(record.Event.Seq, h.seq)
			h.noteStored(*record.Event)
		case record.UsedAssertion != nil:
			h.assertions = append(h.assertions, *record.UsedAssertion)
		case record.UsedCode != nil:
			h.codes = append(h.codes, *record.UsedCode)
		case record.RevokedToken != nil:
			h.until[record.RevokedToken.JTI] = record.RevokedToken.Until
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	r.successor = own.KeyringVersion >= f.KeyringVersion && !r.moment.Add(clockDifference).Before(asOf)
	if r.seq > h.seq {
		r.gap = r.seq - h.seq - r.since
	}
	return r, nil
}

func (r *Replaced) count(seq, backup uint64) {
	r.seq = max(r.seq, seq)
	if seq > backup {
		r.since++
	}
}

// Gap returns how many events from after the backup the trail of the store no longer has: it keeps only so
// many. The state of the store counts for what they were about.
func (r *Replaced) Gap() uint64 {
	if r == nil {
		return 0
	}
	return r.gap
}

// Older reports whether the store is older than the backup. What is absent in it then was not deleted.
func (r *Replaced) Older() bool { return r != nil && r.source != nil && !r.successor }

// standing is what the replaced store has of a record of the backup.
type standing int

const (
	unknown standing = iota // there is no store, or the record in it cannot be read
	absent                  // it was deleted since the backup
	present
)

// lookup turns the answer of the replaced store into a standing.
func (o *Overlay) lookup(err error) standing {
	switch {
	case err == nil:
		return present
	case !errors.Is(err, store.ErrNotFound):
		o.Preserved.Unreadable++
		return unknown
	case o.replaced.successor:
		return absent
	default:
		return unknown
	}
}

func (o *Overlay) replacedUser(id store.UserID) (store.User, standing) {
	if o.replaced == nil || o.replaced.source == nil {
		return store.User{}, unknown
	}
	u, err := o.replaced.source.User(o.ctx, id)
	return u, o.lookup(err)
}

func (o *Overlay) replacedClient(id string) (store.Client, standing) {
	if o.replaced == nil || o.replaced.source == nil {
		return store.Client{}, unknown
	}
	c, err := o.replaced.source.Client(o.ctx, id)
	return c, o.lookup(err)
}

func (o *Overlay) replacedSession(s *store.Session) (store.Session, standing) {
	if o.replaced == nil || o.replaced.source == nil {
		return store.Session{}, unknown
	}
	state, err := o.replaced.source.TokenState(o.ctx, store.TokenRef{UserID: s.UserID, SessionID: s.ID})
	if err == nil && !state.Live {
		err = store.ErrNotFound
	}
	return state.Session, o.lookup(err)
}
