package restore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/keys"
	"signet/store"
	"signet/store/bolt"
	"signet/store/recovery"
	"signet/store/redis"
	"signet/store/seal"
)

// restoreTarget is the store that a backup goes into.
type restoreTarget interface {
	// read reads the replaced store into h and returns it, or nil if there is none. unread is the reason if it cannot be
	// read, which does not stop the restore.
	read(ctx context.Context, h *recovery.History, b *backupFile) (r *recovery.Replaced, unread error, err error)
	// name returns the username of a user in the replaced store, or "".
	name(ctx context.Context, sub string) string
	// fill writes the records, and the manifest last.
	fill(ctx context.Context, f store.Manifest, records iter.Seq2[store.Record, error]) error
	close() error
}

func openRestoreTarget(ctx context.Context, o install.Opener, cfg config.Config, now time.Time) (restoreTarget, error) {
	path, embedded := cfg.BoltPath()
	if embedded {
		return openBoltTarget(o, path, now)
	}
	s, err := o.OpenRedis(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &redisTarget{s: s, cfg: cfg}, nil
}

// boltTarget is a bolt file. An existing file is kept open, and so locked against servers, until the new one replaces it.
type boltTarget struct {
	path   string
	old    *bolt.Store // nil: none, or not readable
	unread error
	seals  *seal.Keys // of the new one
	aside  string     // the new name of the old file; empty: none
}

func openBoltTarget(o install.Opener, path string, now time.Time) (*boltTarget, error) {
	t := &boltTarget{path: path, seals: o.Seals}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("store: %w; make that directory first", err)
	}
	if _, err := os.Lstat(path); err != nil {
		return t, nil
	}
	t.aside = path + ".before-restore-" + now.UTC().Format("20060102T150405Z")
	old, err := bolt.Open(path, bolt.Options{Seals: install.NewSeals(o.Master)})
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("%w; stop the server first, nothing was changed", install.ExplainBolt(err, path))
	}
	t.old, t.unread = old, err
	return t, nil
}

func (t *boltTarget) read(ctx context.Context, h *recovery.History, b *backupFile) (*recovery.Replaced, error, error) {
	if t.old == nil {
		return nil, t.unread, nil
	}
	r, err := recovery.ReadReplaced(ctx, t.old, h, b.manifest, b.asOf)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	return r, err, nil
}

func (t *boltTarget) name(ctx context.Context, sub string) string {
	id, err := store.ParseUserID(sub)
	if err != nil || t.old == nil {
		return ""
	}
	u, err := t.old.User(ctx, id)
	if err != nil {
		return ""
	}
	return u.Username
}

// fill makes the new file beside the old one. The old one gets its second name before the new one takes the first, so an
// interruption leaves a complete file.
func (t *boltTarget) fill(ctx context.Context, f store.Manifest, records iter.Seq2[store.Record, error]) error {
	if t.aside == "" {
		return bolt.Import(ctx, t.path, t.seals, f, records)
	}
	made := t.path + ".restored"
	if err := os.Remove(made); err != nil && !errors.Is(err, os.ErrNotExist) { // of a restore that was killed
		return err
	}
	if err := bolt.Import(ctx, made, t.seals, f, records); err != nil {
		return err
	}
	if err := os.Link(t.path, t.aside); err != nil {
		if err := os.Rename(t.path, t.aside); err != nil { // a file system without links
			return errors.Join(err, os.Remove(made))
		}
	}
	return os.Rename(made, t.path)
}

func (t *boltTarget) close() error {
	if t.old == nil {
		return nil
	}
	return t.old.Close()
}

// redisTarget is a Redis that is empty, or that has only the records that running servers of this install have written
// back.
type redisTarget struct {
	s    *redis.Store
	cfg  config.Config
	live *store.Manifest // written back by running servers; nil: none
}

func (t *redisTarget) read(ctx context.Context, _ *recovery.History, _ *backupFile) (*recovery.Replaced, error, error) {
	f, err := t.s.Manifest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	t.live = &f
	return &recovery.Replaced{Manifest: f}, nil, nil
}

func (t *redisTarget) name(context.Context, string) string { return "" }

// fill leaves a keyring that was written back as it is. The caller recovers it in place.
func (t *redisTarget) fill(ctx context.Context, f store.Manifest, records iter.Seq2[store.Record, error]) error {
	var err error
	if t.live == nil {
		err = t.s.Import(ctx, f, records)
	} else {
		err = t.s.Refill(ctx, records)
	}
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("store: %w; a backup goes only where no clients, users and sessions are: empty that Redis, or set another redis.prefix; if servers of this install are running on it, just run this again", err)
	}
	return err
}

func (t *redisTarget) close() error { return t.s.Close() }

// memoryKeyring holds a keyring outside of a store.
type memoryKeyring struct {
	version  uint64
	document []byte
}

var _ keys.Storage = (*memoryKeyring)(nil)

func (k *memoryKeyring) LoadKeyring(context.Context) (uint64, []byte, error) {
	return k.version, k.document, nil
}

func (k *memoryKeyring) SwapKeyring(_ context.Context, old, next uint64, document []byte) (bool, error) {
	if k.version != old {
		return false, nil
	}
	k.version, k.document = next, document
	return true, nil
}
