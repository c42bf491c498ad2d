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
	"signet/store/bolt/file"
	"signet/store/recovery"
	"signet/store/seal"
)

// backupFile is a file of `signet backup` or `signet export`, checked to its end.
type backupFile struct {
	path     string
	manifest store.Manifest
	copied   time.Time       // when it was made; zero: not recorded
	exported time.Time       // when the export began; zero: it is not an export
	asOf     time.Time       // everything that happened before is in it
	last     time.Time       // the time of the newest record
	seq      uint64          // of its last event
	newest   map[string]bool // the marks of its newest events
	late     []store.Event   // its own events that its records may not have
	source   store.Exporter  // nil if it is an archive
	read     func(ctx context.Context) iter.Seq2[store.Record, error]
	close    func() error

	master     []masterkey.Key
	seals      *seal.Keys // of its records
	unverified bool       // an archive without a MAC is accepted
}

// openBackup opens a backup of either kind, by its first bytes.
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

// explainDamage words damage of a backup; the words of package bolt are about a store in use.
func explainDamage(err error) error {
	if d, ok := errors.AsType[*file.DamagedError](err); ok {
		return fmt.Errorf("the backup is damaged: %w; take another backup", d.How)
	}
	return err
}

// openBolt checks every page before it reads records.
func (b *backupFile) openBolt(ctx context.Context) error {
	if err := bolt.Check(b.path, b.seals); install.SealedByOther(err) {
		return errors.New("master key: it is not the one of this backup; put the right one back")
	} else if err != nil {
		return explainDamage(err)
	}
	db, err := bolt.Open(b.path, bolt.Options{Seals: b.seals})
	if err != nil {
		return explainDamage(err)
	}
	if b.manifest, err = db.Manifest(ctx); err != nil {
		return errors.Join(err, db.Close())
	}
	if err := install.BindSeals(b.seals, b.master, b.manifest); err != nil {
		return errors.Join(err, db.Close())
	}
	if b.copied, err = db.CopiedAt(ctx); err != nil {
		return errors.Join(err, db.Close())
	}
	b.source, b.close = db, db.Close
	b.read = func(ctx context.Context) iter.Seq2[store.Record, error] { return exported(ctx, db) }
	return nil
}

// exported returns the records of a store for a range loop.
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
	b.manifest, b.exported, b.close = r.Header.Manifest, r.Header.ExportedAt, f.Close
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

// newestKept is how many of the newest events are kept, to recognise them in a log.
const newestKept = 1000

// unsettled bounds the time from an event to its change in the store, with clocks that differ.
const unsettled = time.Minute

// inspect reads the whole backup, which checks an archive, and determines its time.
func (b *backupFile) inspect(ctx context.Context) error {
	b.last = b.manifest.Install.CreatedAt
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

// moment returns the time of the newest record or of the copy, whichever is later: a store that was used after it was
// copied has an older time of the copy. In an export of a Redis in use, events can be newer than the records that were
// read, so the time is not later than the beginning of the export.
func (b *backupFile) moment() time.Time {
	if !b.exported.IsZero() && b.last.After(b.exported) {
		return b.exported
	}
	return latestOf(b.last, b.copied)
}

// history returns an empty history of the time after the backup.
func (b *backupFile) history(now time.Time) *recovery.History {
	return recovery.NewHistory(recovery.Backup{AsOf: b.asOf, Last: b.last, Seq: b.seq, Newest: b.newest, Late: b.late}, now)
}

// isLate reports whether the change of an event may be missing in the records: the event is shortly before the beginning
// of the export, or after it.
func (b *backupFile) isLate(e store.Event) bool {
	return !b.exported.IsZero() && e.At.After(b.exported.Add(-unsettled))
}

func latestOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
