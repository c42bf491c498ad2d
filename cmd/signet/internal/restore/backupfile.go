package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/install"
	"signet/keys/masterkey"
	"signet/store"
	"signet/store/archive"
	"signet/store/bolt"
	"signet/store/recovery"
	"signet/store/seal"
)

// backupFile is what `signet backup` or `signet export` has written, checked to its end.
type backupFile struct {
	path       string
	foundation store.Foundation
	copied     time.Time       // when it says it was made; zero: it does not
	exported   time.Time       // when an export began, maybe of an older copy; zero: it is none
	asOf       time.Time       // the moment that it shows: all that happened before is in it
	last       time.Time       // of the newest that is in it
	seq        uint64          // the highest of its events
	newest     map[string]bool // the marks of its newest events
	late       []store.Event   // its own, which its records may not show
	source     store.Exporter  // where it is a store; nil: it is an archive
	read       func(ctx context.Context) iter.Seq2[store.Record, error]
	close      func() error

	master     []masterkey.Key
	seals      *seal.Keys // of its records
	unverified bool       // an archive without a MAC is taken too
}

// openBackup tells the two kinds apart by how they begin.
func openBackup(ctx context.Context, app *cli.App, path string, master []masterkey.Key, unverified bool) (*backupFile, error) {
	kind, err := kindOfBackup(path)
	if err != nil {
		return nil, err
	}
	b := &backupFile{path: path, newest: map[string]bool{}, master: master, seals: install.NewSeals(master), unverified: unverified}
	if kind == "bolt" {
		err = b.openBolt(ctx)
	} else {
		err = b.openArchive(app)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; nothing was changed", path, err)
	}
	if err := b.inspect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w; nothing was changed", path, err), b.close())
	}
	return b, nil
}

// boltMagic is at the head of the first page of a bolt file.
var boltMagic = []byte{0xED, 0xDA, 0x0C, 0xED}

const boltMagicAt = 16

func kindOfBackup(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the backup: %w", err)
	}
	defer f.Close()
	head := make([]byte, boltMagicAt+len(boltMagic))
	n, err := io.ReadFull(f, head)
	head = head[:n]
	switch {
	case errors.Is(err, io.EOF):
		return "", fmt.Errorf("%s is empty", path)
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return "", fmt.Errorf("reading the backup: %w", err)
	case head[0] == '{':
		return "archive", nil
	case len(head) > boltMagicAt && bytes.Equal(head[boltMagicAt:], boltMagic):
		return "bolt", nil
	}
	return "", fmt.Errorf("%s is neither what `signet backup` writes nor what `signet export` does", path)
}

// openBolt reads every page before it believes one.
func (b *backupFile) openBolt(ctx context.Context) error {
	if err := bolt.Check(b.path, b.seals); install.SealedByOther(err) {
		return fmt.Errorf("master key: it is not the one of this backup (%w)", err)
	} else if err != nil {
		return err
	}
	db, err := bolt.Open(b.path, bolt.Options{Seals: b.seals})
	if err != nil {
		return err
	}
	if b.foundation, err = db.Foundation(ctx); err != nil {
		return errors.Join(err, db.Close())
	}
	if err := install.BindSeals(b.seals, b.master, b.foundation); err != nil {
		return errors.Join(err, db.Close())
	}
	if b.copied, err = db.CopiedAt(ctx); err != nil {
		return errors.Join(err, db.Close())
	}
	b.source, b.close = db, db.Close
	b.read = func(ctx context.Context) iter.Seq2[store.Record, error] { return exported(ctx, db) }
	return nil
}

// exported are the records of a store, for a range loop.
func exported(ctx context.Context, from store.Exporter) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		enough := errors.New("enough")
		err := from.Export(ctx, func(r store.Record) error {
			if !yield(r, nil) {
				return enough
			}
			return nil
		})
		if err != nil && !errors.Is(err, enough) {
			yield(store.Record{}, err)
		}
	}
}

func (b *backupFile) openArchive(app *cli.App) error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	r, err := archive.NewReader(f, b.seals, b.unverified)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b.foundation, b.exported, b.close = r.Header.Foundation, r.Header.ExportedAt, f.Close
	b.read = func(ctx context.Context) iter.Seq2[store.Record, error] {
		return func(yield func(store.Record, error) bool) {
			_, err := f.Seek(0, io.SeekStart)
			var again *archive.Reader
			if err == nil {
				again, err = archive.NewReader(app.Watch("read", f, 0), b.seals, b.unverified)
			}
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			for record, err := range again.Records() {
				if err == nil {
					err = ctx.Err()
				}
				if !yield(record, err) || err != nil {
					return
				}
			}
		}
	}
	return nil
}

// newestKept is how many of the newest events are remembered, to know them again in a log.
const newestKept = 1000

// unsettled is how long a request may take from its event's time until the store has what it did, with
// clocks that are apart.
const unsettled = time.Minute

// inspect reads all of it, with which an archive is checked, and finds out which moment it shows.
func (b *backupFile) inspect(ctx context.Context) error {
	b.last = b.foundation.Install.CreatedAt
	var marks []string
	for r, err := range b.read(ctx) {
		if err != nil {
			return err
		}
		if r.Event != nil {
			b.seq = max(b.seq, r.Event.Seq)
			marks = append(marks, recovery.Mark(*r.Event))
			marks = marks[max(0, len(marks)-newestKept):]
			if b.isLate(*r.Event) {
				b.late = append(b.late, *r.Event)
			}
		}
		b.last = latestOf(b.last, r.ChangedAt())
	}
	b.asOf = b.moment()
	for _, mark := range marks {
		b.newest[mark] = true
	}
	return nil
}

// moment is that of the newest record, or of the copy, whichever is later: a store that has gone on after
// a backup of it still has the time of that. In an export of a Redis at work the newest event may be of
// after the records were read, so it shows no later moment than its beginning.
func (b *backupFile) moment() time.Time {
	if !b.exported.IsZero() && b.last.After(b.exported) {
		return b.exported
	}
	return latestOf(b.last, b.copied)
}

// history starts the history of what came after the backup.
func (b *backupFile) history(now time.Time) *recovery.History {
	return recovery.NewHistory(recovery.Backup{AsOf: b.asOf, Last: b.last, Seq: b.seq, Newest: b.newest, Late: b.late}, now)
}

// isLate reports whether the event is of so shortly before the export, or of after its beginning, that
// what it did may not be in the records.
func (b *backupFile) isLate(e store.Event) bool {
	return !b.exported.IsZero() && e.At.After(b.exported.Add(-unsettled))
}

func latestOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
