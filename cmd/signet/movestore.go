package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"signet/config"
	"signet/store"
	"signet/store/bolt"
)

// exporter and importer are a store that is opened to move what is in it, or to move into it.
type exporter interface {
	store.Exporter
	io.Closer
}

type importer interface {
	store.Importer
	io.Closer
}

// openExporter opens the store of the configuration as it is.
func openExporter(cfg config.Config) (exporter, error) {
	path, ok := cfg.BoltPath()
	if !ok {
		return nil, notMovable(cfg.Store)
	}
	db, err := bolt.Open(path, bolt.Options{})
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("%w; stop the server, or export from a copy of it: `signet backup copy.db` and then `signet export --store bolt:copy.db FILE`", explainStore(err, path))
	}
	if err != nil {
		return nil, explainStore(err, path)
	}
	return db, nil
}

// openImporter opens the store of the configuration if it holds nothing. With bolt it is not even there.
func openImporter(cfg config.Config) (importer, error) {
	path, ok := cfg.BoltPath()
	if !ok {
		return nil, notMovable(cfg.Store)
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, notEmpty(cfg.Store)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("store: %w; make that directory, or name another place with --store", err)
	}
	return boltImporter(path), nil
}

// boltImporter is the path of a file that the import makes.
type boltImporter string

func (path boltImporter) Import(ctx context.Context, f store.Foundation, records iter.Seq2[store.Record, error]) error {
	return bolt.Import(ctx, string(path), f, records)
}

func (boltImporter) Close() error { return nil }

func notEmpty(storeURL string) error {
	return fmt.Errorf("store: %s is there already, and an import goes only where nothing is; name another place with --store, or move that one away", storeName(storeURL))
}

func notMovable(storeURL string) error {
	scheme, _, _ := strings.Cut(storeURL, ":") // the rest may hold a password
	return fmt.Errorf("store: this build cannot move a store of the kind %q; it can move bolt:PATH", scheme)
}

// storeName is the store's URL for people: without a password.
func storeName(storeURL string) string {
	if strings.HasPrefix(storeURL, "bolt:") {
		return storeURL
	}
	u, err := url.Parse(storeURL)
	if err != nil {
		scheme, _, _ := strings.Cut(storeURL, ":")
		return scheme
	}
	return u.Redacted()
}

// movingConfig is the configuration whose store is moved. --store names another store, and then
// there need not be a configuration.
func (a *app) movingConfig(storeURL string) (cfg config.Config, err error) {
	if storeURL == "" {
		return a.loadConfig()
	}
	if storeURL, err = fromHere(storeURL); err != nil {
		return cfg, err
	}
	if a.configPath() != "" || a.getenv("SIGNET_ISSUER") != "" {
		cfg, err = a.loadConfig()
		cfg.Store = storeURL
		return cfg, err
	}
	cfg = config.Default()
	cfg.Store = storeURL
	if path, ok := cfg.BoltPath(); ok {
		cfg.DataDir = filepath.Dir(path)
	}
	return cfg, nil
}

// fromHere reads a path on the command line as the shell's user means it: from the working directory.
func fromHere(storeURL string) (string, error) {
	path, isBolt := strings.CutPrefix(storeURL, "bolt:")
	switch {
	case isBolt && path != "":
		path, err := filepath.Abs(path)
		return "bolt:" + path, err
	case isBolt || !strings.Contains(storeURL, ":"):
		return "", misuse("--store: name the kind of store and the place, like bolt:signet.db")
	}
	return storeURL, nil
}
