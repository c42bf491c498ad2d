package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/store"
	"signet/store/bolt"
	"signet/store/seal"
)

// exporter is a store to read, and importer one to fill.
type exporter interface {
	store.Exporter
	io.Closer
}

type importer interface {
	store.Importer
	io.Closer
}

// openExporter opens the store of the configuration for reading.
func openExporter(ctx context.Context, o install.Opener, cfg config.Config) (exporter, error) {
	path, ok := cfg.BoltPath()
	if !ok {
		return openRedisExporter(ctx, o, cfg)
	}
	db, err := bolt.Open(path, bolt.Options{Seals: o.Seals})
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("%w; stop the server, or export from a copy of it: `signet backup copy.db` and then `signet export --store bolt:copy.db FILE`", install.ExplainBolt(err, path))
	}
	if err != nil {
		return nil, install.ExplainBolt(err, path)
	}
	return db, nil
}

// openRedisExporter warns if servers use the store, which Redis does not prevent.
func openRedisExporter(ctx context.Context, o install.Opener, cfg config.Config) (exporter, error) {
	s, err := o.OpenRedis(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if beats, err := s.Beats(ctx, time.Now()); err == nil && len(beats) > 0 {
		o.Warn(fmt.Errorf("store: servers run on it, or did a minute ago: %d; what they do meanwhile may be missing, so stop them for a move", len(beats)))
	}
	return s, nil
}

// openImporter opens the store of the configuration if it is empty. A bolt file must not exist. Redis is checked again
// when the import begins.
func openImporter(ctx context.Context, o install.Opener, cfg config.Config) (importer, error) {
	path, ok := cfg.BoltPath()
	if !ok {
		s, err := o.OpenRedis(ctx, cfg)
		if err != nil {
			return nil, err
		}
		o.WarnOfLoss(ctx, s)
		if _, err := s.Install(ctx); !errors.Is(err, store.ErrNotFound) {
			return nil, errors.Join(errNotEmpty(cfg, err), s.Close())
		}
		return s, nil
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, errNotEmpty(cfg, nil)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("store: %w; make that directory, or name another place with --store", err)
	}
	return boltImporter{path, o.Seals}, nil
}

// boltImporter makes the file at path.
type boltImporter struct {
	path  string
	seals *seal.Keys
}

func (to boltImporter) Import(ctx context.Context, f store.Manifest, records iter.Seq2[store.Record, error]) error {
	return bolt.Import(ctx, to.path, to.seals, f, records)
}

func (boltImporter) Close() error { return nil }

// errNotEmpty explains that the store is not empty. why may have the cause.
func errNotEmpty(cfg config.Config, why error) error {
	if why != nil && !errors.Is(why, store.ErrExists) {
		return fmt.Errorf("store: %w", why)
	}
	if _, embedded := cfg.BoltPath(); embedded {
		return fmt.Errorf("store: %s is there already, and an import goes only where nothing is; name another place with --store, or move that one away", install.StoreName(cfg))
	}
	return fmt.Errorf("store: %s holds something under the prefix %q already, and an import goes only where nothing is; set another redis.prefix, or name another database", install.StoreName(cfg), cfg.Redis.Prefix)
}

// loadConfig returns the configuration of the store to move. With --store no configuration is needed.
func loadConfig(app *cli.App, storeURL string) (config.Config, error) {
	if storeURL == "" {
		return configfile.Load(app)
	}
	storeURL, err := absoluteURL(storeURL)
	if err != nil {
		return config.Config{}, err
	}
	elsewhere := new(cli.App)
	*elsewhere = *app
	elsewhere.Environ = append(slices.Clone(app.Environ), "SIGNET_STORE="+storeURL)
	if configured(app) {
		return configfile.Load(elsewhere)
	}
	elsewhere.Environ = append(elsewhere.Environ, "SIGNET_ISSUER=https://moving.invalid") // it is not used
	cfg, err := configfile.Load(elsewhere)
	if path, ok := cfg.BoltPath(); ok {
		cfg.DataDir = filepath.Dir(path)
	}
	return cfg, err
}

func configured(app *cli.App) bool {
	return configfile.Path(app) != "" || app.Getenv("SIGNET_ISSUER") != ""
}

// openerOf returns an Opener with the master keys of cfg.
func openerOf(app *cli.App, cfg config.Config) (install.Opener, error) {
	o, err := install.WithMaster(app, install.Opener{Getenv: app.Getenv, Warn: app.Warn, NoTimeout: true}, cfg)
	if err != nil && !configured(app) {
		err = fmt.Errorf("there is no ./%s, which names the master key; name the configuration of the install with --config FILE (%w)", configfile.Name, err)
	}
	return o, err
}

// absoluteURL makes the path in a URL of the command line absolute.
func absoluteURL(storeURL string) (string, error) {
	path, isBolt := strings.CutPrefix(storeURL, "bolt:")
	switch {
	case isBolt && path != "":
		path, err := filepath.Abs(path)
		return "bolt:" + path, err
	case isBolt || !strings.Contains(storeURL, ":"):
		return "", cli.Usagef("--store: name the kind of store and the place, like bolt:signet.db")
	}
	return storeURL, nil
}
