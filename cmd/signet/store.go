package main

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

// opener opens stores. What it does not get from the configuration it is given here.
type opener struct {
	getenv  func(string) string // has the secrets of Redis and the HSM
	log     *slog.Logger        // nil discards
	warn    func(warning error) // told what can be lost; nil: nobody is
	observe func(doing string, took time.Duration, err error)
	seals   *seal.Keys      // of the records; nil: they are neither sealed nor verified
	master  []masterkey.Key // that the seals are of
	patient bool            // whole stores are moved: a slow answer is no reason to give up
}

// open opens the store that the configuration names. It makes none.
func (o opener) open(ctx context.Context, cfg config.Config) (store.Store, error) {
	if path, ok := cfg.BoltPath(); ok {
		s, err := o.openBolt(path, cfg)
		if err != nil {
			return nil, err // never a nil *bolt.Store in an interface
		}
		return s, nil
	}
	s, err := o.openRedis(ctx, cfg)
	if err != nil {
		return nil, err
	}
	o.check(ctx, s)
	return s, nil
}

func (o opener) openBolt(path string, cfg config.Config) (*bolt.Store, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("store: everybody may open %s, and it holds password hashes; close it with `chmod 600 %s`", path, cli.ShellQuote(path))
	}
	s, err := bolt.Open(path, bolt.Options{AuditEvents: cfg.Audit.Retain, Retention: auditRetention(cfg), Log: o.log, Seals: o.seals})
	if err != nil {
		return nil, explainBolt(err, path)
	}
	return s, nil
}

func explainBolt(err error, path string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: there is no %s; make an install with `signet init`, or put a backup back", path)
	}
	return fmt.Errorf("store: %w", err)
}

// check says what the Redis servers may lose as they are set up.
func (o opener) check(ctx context.Context, s *redis.Store) {
	if o.warn == nil {
		return
	}
	findings, err := s.Check(ctx)
	if err != nil {
		o.warn(err)
	}
	for _, f := range findings {
		o.warn(fmt.Errorf("store: %s", f))
	}
}

// create makes the install in a store that is empty, and the first keys. On an error nothing of it is left,
// or nothing that the next try would not take up.
func (o opener) create(ctx context.Context, cfg config.Config, master masterkey.Key) error {
	if path, ok := cfg.BoltPath(); ok {
		return o.createBolt(ctx, path, cfg, master)
	}
	s, err := o.openRedis(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	o.check(ctx, s)
	install, err := s.Install(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := s.CheckEmpty(ctx); err != nil {
			return fmt.Errorf("store: %w; choose another redis.prefix or database", err)
		}
		return o.furnish(ctx, s, cfg, master, redis.Schema)
	case err != nil:
		return fmt.Errorf("store: %w", err)
	}
	if version, _, err := s.LoadKeyring(ctx); err != nil || version > 0 {
		return errors.Join(err, fmt.Errorf("store: it holds install %s already, and that is not overwritten; choose another redis.prefix or database", install.ID))
	}
	return o.firstKeys(ctx, s, cfg, install.ID, master) // an init that broke off
}

func (o opener) createBolt(ctx context.Context, path string, cfg config.Config, master masterkey.Key) (err error) {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("store: %s is there already, and it is not overwritten", path)
	}
	db, err := bolt.Open(path, bolt.Options{Create: true, Seals: o.seals})
	if err != nil {
		return explainBolt(err, path)
	}
	defer func() {
		if closeErr := db.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("store: %w", closeErr)
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	return o.furnish(ctx, db, cfg, master, bolt.Schema)
}

// furnish writes the install and the first keys.
func (o opener) furnish(ctx context.Context, s store.Store, cfg config.Config, master masterkey.Key, schema int) error {
	install := store.Install{ID: rand.Text(), Schema: schema, CreatedAt: time.Now().UTC()}
	if err := compareClocks(ctx, s, cfg, install.ID, master); err != nil {
		return err
	}
	if err := s.CreateInstall(ctx, install); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return o.firstKeys(ctx, s, cfg, install.ID, master)
}

func (o opener) firstKeys(ctx context.Context, s store.Store, cfg config.Config, installID string, master masterkey.Key) error {
	hsm, err := openHSM(cfg, o.getenv)
	if err != nil {
		return err
	}
	if hsm != nil {
		defer hsm.Close()
	}
	ring := keyringConfig(cfg, s, installID, []masterkey.Key{master})
	ring.Remote, ring.Sealed = remoteKeys(cfg, hsm), true
	ring.Mark = markFile(cfg)
	if err := keys.Init(ctx, ring); err != nil {
		return fmt.Errorf("keyring: %w", explainTimetable(cfg, err))
	}
	return nil
}

// noInstall explains a store that holds none.
func noInstall(ctx context.Context, s store.Store, cfg config.Config) error {
	if r, ok := s.(*redis.Store); ok {
		if unfinished, err := r.Unfinished(ctx); err == nil && unfinished {
			return fmt.Errorf("store: an import into %s was interrupted; run the same `signet import` again, it takes over what is there", storeName(cfg))
		}
	}
	return fmt.Errorf("store: %s holds no install; make one with `signet init`, or import one", storeName(cfg))
}

// storeName is the store for people: a path, or a URL without secrets.
func storeName(cfg config.Config) string {
	if path, ok := cfg.BoltPath(); ok {
		return path
	}
	r, _ := cfg.RedisStore()
	return r.String()
}

// auditRetention is what the configuration sets for single classes of audit events.
func auditRetention(cfg config.Config) store.Retention {
	a := cfg.Audit
	return store.Retention{store.ClassKeys: a.Keys, store.ClassAdmin: a.Admin, store.ClassSessions: a.Sessions,
		store.ClassOwn: a.Own, store.ClassRefusals: a.Refusals}
}
