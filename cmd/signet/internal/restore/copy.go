package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"signet/store/bolt"
	"signet/store/recovery"
)

// readCopy reads the copy of the replaced store, for a store that cannot be read or a Redis that is empty already.
// Records are looked up one by one, so an export is first imported into a temporary bolt file.
func (r *restoration) readCopy(ctx context.Context, live *recovery.Replaced) (*recovery.Replaced, error) {
	newest, err := openBackup(ctx, r.app, r.copied, r.master, r.unverified)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, newest.close)
	if own, id := newest.manifest.Install.ID, r.backup.manifest.Install.ID; own != id {
		return nil, fmt.Errorf("%s is of another install (%s) than the backup (%s)", r.copied, own, id)
	}
	source, ok := newest.source.(*bolt.Store)
	if !ok {
		if source, err = r.unpack(ctx, newest); err != nil {
			return nil, fmt.Errorf("%s: %w", r.copied, err)
		}
	}
	read, err := recovery.ReadReplaced(ctx, source, r.history, r.backup.manifest, r.backup.asOf)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.copied, err)
	}
	r.report.Knew = append(r.report.Knew, r.copied)
	r.report.Older = read.Older()
	if live != nil && live.Manifest.KeyringVersion > read.Manifest.KeyringVersion {
		read.Manifest = live.Manifest
	}
	return read, nil
}

// unpack imports an export into a temporary bolt file.
func (r *restoration) unpack(ctx context.Context, archive *backupFile) (*bolt.Store, error) {
	dir, err := os.MkdirTemp("", "signet-restore-") // of mode 0700: it holds password hashes
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, func() error { return os.RemoveAll(dir) })
	path := filepath.Join(dir, "replaced.db")
	if err := bolt.Import(ctx, path, archive.seals, archive.manifest, archive.read(ctx)); err != nil {
		return nil, err
	}
	s, err := bolt.Open(path, bolt.Options{Seals: archive.seals})
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, s.Close)
	return s, nil
}

// closeAll closes everything in reverse order.
func (r *restoration) closeAll() (err error) {
	for _, closeIt := range slices.Backward(r.closers) {
		err = errors.Join(err, closeIt())
	}
	return err
}
