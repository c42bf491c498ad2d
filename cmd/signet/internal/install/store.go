package install

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/config"
	"signet/keys"
	"signet/keys/masterkey"
	"signet/store"
	"signet/store/bolt"
	"signet/store/redis"
	"signet/store/seal"
)

// Opener opens and creates the stores of installs. It has what the configuration does not.
type Opener struct {
	Getenv    func(string) string // has the secrets of Redis and the HSM
	Log       *slog.Logger        // nil discards
	Warn      func(warning error) // receives settings that can lose data; nil discards
	Observe   func(ctx context.Context, doing string, took time.Duration, err error)
	Seals     *seal.Keys      // of the records; nil: they are neither sealed nor verified
	Master    []masterkey.Key // of the seals
	NoTimeout bool            // for whole stores: wait long for each answer
}

// Open opens the store that the configuration names. It creates none.
func (o Opener) Open(ctx context.Context, cfg config.Config) (store.Store, error) {
	if path, ok := cfg.BoltPath(); ok {
		s, err := o.OpenBolt(path, cfg)
		if err != nil {
			return nil, err // never a nil *bolt.Store in an interface
		}
		return s, nil
	}
	s, err := o.OpenRedis(ctx, cfg)
	if err != nil {
		return nil, err
	}
	o.WarnOfLoss(ctx, s)
	return s, nil
}

// OpenBolt opens the embedded store at path. It must be there, and closed to other users.
func (o Opener) OpenBolt(path string, cfg config.Config) (*bolt.Store, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("store: everybody may open %s, and it holds password hashes; close it with `chmod 600 %s`", path, cli.ShellQuote(path))
	}
	s, err := bolt.Open(path, bolt.Options{AuditEvents: cfg.Audit.Retain, Retention: auditRetention(cfg), Log: o.Log, Seals: o.Seals})
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("%w: a server that runs, or one that is still stopping; stop it, or wait until it has stopped, and try again", ExplainBolt(err, path))
	}
	if err != nil {
		return nil, ExplainBolt(err, path)
	}
	return s, nil
}

// ExplainBolt words an error of opening the embedded store at path.
func ExplainBolt(err error, path string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: there is no %s; make an install with `signet init`, or put a backup back", path)
	}
	return fmt.Errorf("store: %w", err)
}

// WarnOfLoss warns of settings of the Redis servers that can lose data.
func (o Opener) WarnOfLoss(ctx context.Context, s *redis.Store) {
	if o.Warn == nil {
		return
	}
	findings, err := s.Check(ctx)
	if err != nil {
		o.Warn(err)
	}
	for _, f := range findings {
		o.Warn(fmt.Errorf("store: %s", f))
	}
}

// create creates an install with its first keys in an empty store. After an error nothing is left, or only what the next
// attempt continues with.
func (o Opener) create(ctx context.Context, cfg config.Config, master masterkey.Key) error {
	if path, ok := cfg.BoltPath(); ok {
		return o.CreateBolt(ctx, path, cfg, master)
	}
	s, err := o.OpenRedis(ctx, cfg)
	if errors.Is(err, errOtherMaster) {
		return errHoldsInstall(cfg)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	o.WarnOfLoss(ctx, s)
	id, made, err := o.complete(ctx, s, cfg, master, redis.Schema)
	if err == nil && !made {
		return fmt.Errorf("store: it holds install %s already, and that is not overwritten; choose another redis.prefix or database", id)
	}
	return err
}

// complete writes the install and its first keys into a store that has none, or what an attempt that was interrupted has left out. It
// reports whether there was anything to write.
func (o Opener) complete(ctx context.Context, s store.Store, cfg config.Config, master masterkey.Key, schema int) (id string, made bool, err error) {
	record, err := s.Install(ctx)
	switch {
	case SealedByOther(err):
		return "", false, errHoldsInstall(cfg)
	case errors.Is(err, store.ErrNotFound):
		if r, ok := s.(*redis.Store); ok {
			if err := r.CheckEmpty(ctx); err != nil {
				return "", false, fmt.Errorf("store: %w; choose another redis.prefix or database", err)
			}
		}
		return "", true, o.writeInstall(ctx, s, cfg, master, schema)
	case err != nil:
		return "", false, fmt.Errorf("store: %w", err)
	}
	version, _, err := s.LoadKeyring(ctx)
	if err != nil {
		return "", false, fmt.Errorf("store: %w", err)
	}
	if version > 0 {
		return record.ID, false, nil
	}
	return record.ID, true, o.firstKeys(ctx, s, cfg, record.ID, master)
}

// ensure makes the store of a configuration if it holds no install yet, and reports whether it did.
func (o Opener) ensure(ctx context.Context, cfg config.Config, master masterkey.Key) (made bool, err error) {
	path, isBolt := cfg.BoltPath()
	if isBolt {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return true, o.CreateBolt(ctx, path, cfg, master)
		}
	}
	s, err := o.Open(ctx, cfg)
	if errors.Is(err, errOtherMaster) {
		return false, errHoldsInstall(cfg)
	}
	if err != nil {
		return false, err
	}
	defer s.Close()
	schema := redis.Schema
	if isBolt {
		schema = bolt.Schema
	}
	_, made, err = o.complete(ctx, s, cfg, master, schema)
	return made, err
}

// errHoldsInstall refuses a Redis with the install of another master key.
func errHoldsInstall(cfg config.Config) error {
	return fmt.Errorf("store: %s already holds an install, of another master key, and that is not overwritten; choose another Redis, database or "+
		"prefix (SIGNET_REDIS_PREFIX), or use the directory of that install", StoreName(cfg))
}

// CreateBolt makes an embedded store at path with an install and its keyring. It never overwrites one.
func (o Opener) CreateBolt(ctx context.Context, path string, cfg config.Config, master masterkey.Key) (err error) {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("store: %s is there already, and it is not overwritten", path)
	}
	db, err := bolt.Open(path, bolt.Options{Create: true, Seals: o.Seals})
	if err != nil {
		return ExplainBolt(err, path)
	}
	defer func() {
		if closeErr := db.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("store: %w", closeErr)
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	return o.writeInstall(ctx, db, cfg, master, bolt.Schema)
}

// writeInstall writes the install record and the first keys.
func (o Opener) writeInstall(ctx context.Context, s store.Store, cfg config.Config, master masterkey.Key, schema int) error {
	record := store.Install{ID: rand.Text(), Schema: schema, CreatedAt: time.Now().UTC()}
	if err := CompareClocks(ctx, s, cfg, record.ID, master); err != nil {
		return err
	}
	if err := s.CreateInstall(ctx, record); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return o.firstKeys(ctx, s, cfg, record.ID, master)
}

func (o Opener) firstKeys(ctx context.Context, s store.Store, cfg config.Config, installID string, master masterkey.Key) error {
	hsm, err := OpenHSM(cfg, o.Getenv)
	if err != nil {
		return err
	}
	if hsm != nil {
		defer hsm.Close()
	}
	ring := KeyringConfig(cfg, s, installID, []masterkey.Key{master})
	ring.Remote, ring.Sealed = RemoteKeys(cfg, hsm), true
	ring.Mark = MarkFile(cfg)
	if err := keys.Init(ctx, ring); err != nil {
		return fmt.Errorf("keyring: %w", ExplainTimetable(cfg, err))
	}
	return nil
}

// ExplainNoInstall explains a store without an install.
func ExplainNoInstall(ctx context.Context, s store.Store, cfg config.Config) error {
	if r, ok := s.(*redis.Store); ok {
		if unfinished, err := r.Unfinished(ctx); err == nil && unfinished {
			return fmt.Errorf("store: an import into %s was interrupted; run the same `signet import` again, it takes over what is there", StoreName(cfg))
		}
	}
	return fmt.Errorf("store: %s holds no install; make one with `signet init`, or import one", StoreName(cfg))
}

// StoreName returns the store for messages: a path, or a URL without secrets.
func StoreName(cfg config.Config) string {
	if path, ok := cfg.BoltPath(); ok {
		return path
	}
	r, _ := cfg.RedisStore()
	return r.String()
}

// auditRetention returns the settings for single classes of audit events.
func auditRetention(cfg config.Config) store.Retention {
	a := cfg.Audit
	return store.Retention{store.ClassKeys: a.Keys, store.ClassAdmin: a.Admin, store.ClassSessions: a.Sessions,
		store.ClassOwn: a.Own, store.ClassRefusals: a.Refusals}
}
