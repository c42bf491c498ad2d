package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/keys"
	"signet/keys/mark"
	"signet/keys/masterkey"
	"signet/keys/pkcs11"
	"signet/keys/rotation"
	"signet/store"
	"signet/store/archive"
	"signet/store/recovery"
	"signet/store/seal"
)

// New returns the command `signet restore`.
func New(app *cli.App) *cobra.Command {
	var r restoration
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Replace the store with a backup; what was revoked stays revoked",
		Long: "Replace the store of the configuration with FILE, which `signet backup` or `signet export` wrote. Stop the\n" +
			"server first. FILE is read and checked to its end before anything is changed. An existing bolt store is\n" +
			"renamed to NAME.before-restore-TIME. A Redis must be empty, or have only the records that running servers\n" +
			"of this install have written back.\n\n" +
			"What was revoked since the backup stays revoked: keys, sessions, tokens, disabled or deleted users and\n" +
			"clients, replaced passwords and secrets, removed rights. The sources are the replaced store, if it can be\n" +
			"read, the copy of it that --replaced names, and the server logs that --audit-log names. To undo such a\n" +
			"change, move the store away first. The next signing key signs at once, because the current one may have\n" +
			"leaked since the backup; its tokens stay valid. The report lists what remains to be done.\n\n" +
			"--rehearsal tests FILE beside a running install: it makes a separate install with new signing keys and\n" +
			"without sessions, so that its tokens are not valid in the other.",
		Example: "signet restore --config /etc/signet/signet.yaml /backup/signet-2026-03-04.db\n" +
			"signet restore --audit-log /var/log/signet.log signet.ndjson\n" +
			"signet restore --config rehearsal/signet.yaml --rehearsal signet-backup.db",
		Args: cli.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := configfile.Load(app)
			if err != nil {
				return err
			}
			r.app, r.cfg, r.now = app, cfg, app.Clock()
			if err := r.run(cmd.Context(), args[0]); err != nil {
				return err
			}
			return app.Print(r.report, r.report.write)
		},
	}
	configfile.Flag(app, cmd)
	cmd.Flags().StringArrayVar(&r.logs, "audit-log", nil, "also read revocations from `FILE`, a log of the server in JSON; may be given again")
	cmd.Flags().StringVar(&r.copied, "replaced", "", "also read revocations from `FILE`, the latest backup or export of the replaced store")
	cmd.Flags().BoolVar(&r.rehearsal, "rehearsal", false, "make a separate install, whose tokens are not valid in the other")
	cmd.Flags().BoolVar(&r.unverified, "unverified", false, "accept an export of an older signet, which has no MAC: it may have been edited")
	return cmd
}

// restoration carries one restore.
type restoration struct {
	app     *cli.App
	cfg     config.Config
	logs    []string
	copied  string // a copy of the replaced store; empty: none
	now     time.Time
	master  []masterkey.Key
	seals   *seal.Keys   // of the restored records
	hsm     pkcs11.Token // nil: there is none
	backup  *backupFile
	target  restoreTarget
	history *recovery.History
	report  restoreReport

	rehearsal  bool
	unverified bool           // an export without a MAC is accepted
	closers    []func() error // of a copy of the replaced store

	mark            *mark.Mark // of this server; nil: there is none
	markProblem     error      // why the file of the mark could not be used
	revokedInBackup []string   // kids that are revoked in the backup itself
}

// run reads everything before it changes anything.
func (r *restoration) run(ctx context.Context, path string) (err error) {
	if err := checkNotOwnStore(r.cfg, path); err != nil {
		return err
	}
	if r.master, err = install.ReadMasterKeys(r.cfg.MasterKeyFile, r.app.Getenv); err != nil {
		return err
	}
	r.seals = install.NewSeals(r.master)
	if r.hsm, err = install.OpenHSM(r.cfg, r.app.Getenv); err != nil {
		return err
	}
	if r.hsm != nil { // it makes a key
		defer r.hsm.Close()
		if err := install.CheckHSM(ctx, r.cfg, r.hsm); err != nil {
			return fmt.Errorf("keys.hsm: %w; nothing was changed", err)
		}
	}
	if r.backup, err = openBackup(ctx, r.app, path, r.master, r.unverified); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.backup.close()) }()
	if r.target, err = openRestoreTarget(ctx, (install.Opener{Getenv: r.app.Getenv, Seals: r.seals, Master: r.master}), r.cfg, r.now); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.target.close()) }()
	defer func() { err = errors.Join(err, r.closeAll()) }()
	_, embedded := r.cfg.BoltPath()
	r.report = restoreReport{Store: install.StoreName(r.cfg), Shared: !embedded, From: path, AsOf: r.backup.asOf, Install: r.backup.manifest.Install.ID}
	replaced, err := r.readHistory(ctx)
	if err != nil {
		return err
	}
	return r.put(ctx, replaced)
}

// checkNotOwnStore returns an error if the backup is the store itself.
func checkNotOwnStore(cfg config.Config, path string) error {
	own, _ := cfg.BoltPath()
	one, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	if other, err := os.Stat(own); err == nil && os.SameFile(one, other) {
		return cli.Usagef("%s is the store itself; name a backup of it", path)
	}
	return nil
}

// readHistory collects what has happened since the backup: from the replaced store, from its copy, from the logs and from
// the mark.
func (r *restoration) readHistory(ctx context.Context) (replaced *recovery.Replaced, err error) {
	b := r.backup
	r.history = b.history(r.now)
	replaced, unread, err := r.target.read(ctx, r.history, b)
	if err != nil {
		return nil, err
	}
	if unread != nil {
		r.report.Unread = unread.Error()
		replaced = nil
	}
	if replaced != nil {
		if id := b.manifest.Install.ID; replaced.Manifest.Install.ID != id {
			return nil, fmt.Errorf("store: %s is of another install (%s) than the backup (%s); move it away yourself if it is to be replaced, nothing was changed", install.StoreName(r.cfg), replaced.Manifest.Install.ID, id)
		}
		r.report.Knew = append(r.report.Knew, install.StoreName(r.cfg))
		r.report.Older = replaced.Older()
		if gap := replaced.Gap(); gap > 0 {
			r.report.Gaps = append(r.report.Gaps, fmt.Sprintf("ATTENTION: the audit trail of %s no longer has %d events from after the backup. The state of its records was used for them.", install.StoreName(r.cfg), gap))
		}
	}
	if r.copied != "" {
		if replaced, err = r.readCopy(ctx, replaced); err != nil {
			return nil, fmt.Errorf("%w; nothing was changed", err)
		}
	}
	if err := r.readLogs(); err != nil {
		return nil, err
	}
	if err := r.loadMark(); err != nil {
		return nil, err
	}
	return replaced, nil
}

// put recovers the keyring and fills the target. If running servers have written the keyring back into a Redis, it is
// recovered there, after the records.
func (r *restoration) put(ctx context.Context, replaced *recovery.Replaced) error {
	redis, onRedis := r.target.(*redisTarget)
	f := r.backup.manifest
	ring, hand, err := r.openKeyring(ctx, replaced)
	if err != nil {
		return err
	}
	if r.rehearsal {
		return r.rehearse(ctx, replaced)
	}
	inPlace := onRedis && redis.live != nil
	if onRedis {
		if err := install.CompareClocks(ctx, redis.s, r.cfg, f.Install.ID, r.master[0]); err != nil {
			return err
		}
	}
	if !inPlace {
		if err := r.recover(ctx, ring); err != nil {
			return err
		}
		f.KeyringVersion, f.Keyring = hand.version, hand.document
	}
	r.history.AddEvent(store.Event{At: r.now.UTC(), Type: store.EventRestore, Outcome: store.OutcomeOK, Actor: "signet restore",
		Detail: map[string]string{"as_of": r.report.AsOf.Format(time.RFC3339)}})
	o := recovery.NewOverlay(ctx, r.history, replaced, r.cfg.Keys.MaxTokenLife)
	r.seals.Use(ring.MasterKeyInUse)
	if err := r.fill(ctx, f, o, o.Records(r.backup.read(ctx))); err != nil {
		return err
	}
	if inPlace {
		return r.recoverInPlace(ctx, redis, hand)
	}
	r.replaceMark(ring)
	return nil
}

// fill writes the records into the target and reports the result.
func (r *restoration) fill(ctx context.Context, f store.Manifest, o *recovery.Overlay, records iter.Seq2[store.Record, error]) error {
	if err := r.target.fill(ctx, f, r.report.Counts.Counted(records)); err != nil {
		return fmt.Errorf("restoring %s: %w", r.backup.path, err)
	}
	if bolt, ok := r.target.(*boltTarget); ok {
		r.report.MovedAside = bolt.aside
	}
	r.report.Kept.Preserved = o.Preserved
	r.report.Lost = o.Lost(func(sub string) string { return r.target.name(ctx, sub) })
	return nil
}

func (r *restoration) keyringConfig(storage keys.Storage, installID string) keys.Config {
	cfg := install.KeyringConfig(r.cfg, storage, installID, r.master)
	cfg.Remote, cfg.Sealed = install.RemoteKeys(r.cfg, r.hsm), true
	if r.mark != nil {
		cfg.AtLeast = r.mark.Version
	}
	return cfg
}

// openKeyring opens the newer keyring: that of the backup, or that of the replaced store. Keys that are revoked in either
// are added to the history.
func (r *restoration) openKeyring(ctx context.Context, replaced *recovery.Replaced) (*keys.Manager, *memoryKeyring, error) {
	open := func(f store.Manifest) (*keys.Manager, *memoryKeyring, error) {
		hand := &memoryKeyring{f.KeyringVersion, f.Keyring}
		m, err := keys.Open(ctx, r.keyringConfig(hand, f.Install.ID))
		if err == nil {
			for _, kid := range m.Keyring().Revoked() {
				r.history.NoteRevokedKey(kid)
			}
		}
		return m, hand, err
	}
	ring, hand, err := open(r.backup.manifest)
	if err == nil {
		r.revokedInBackup = ring.Keyring().Revoked()
	}
	if errors.Is(err, masterkey.ErrMismatch) {
		return nil, nil, fmt.Errorf("master key: it is not the one of this backup (%w); put the right one back, nothing was changed", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("keyring: %w; nothing was changed", err)
	}
	if replaced == nil {
		return ring, hand, nil
	}
	newer, newerHand, err := open(replaced.Manifest)
	if _, running := r.target.(*redisTarget); running && err != nil {
		return nil, nil, fmt.Errorf("keyring: that in %s: %w; nothing was changed", install.StoreName(r.cfg), err)
	}
	if err != nil {
		r.report.Unread = fmt.Sprintf("its keyring: %v", err)
		return ring, hand, nil
	}
	if newerHand.version > hand.version {
		r.report.NewerKeyring = true
		return newer, newerHand, nil
	}
	return ring, hand, nil
}

func (r *restoration) recover(ctx context.Context, ring *keys.Manager) error {
	revoked := r.history.RevokedKeys()
	done, err := ring.Edit().Recover(ctx, revoked)
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	r.report.Keyring = done
	if err := r.recoverRecords(ctx, ring); err != nil {
		return err
	}
	for _, kid := range revoked {
		if !slices.Contains(r.revokedInBackup, kid) {
			r.report.Kept.Keys = append(r.report.Kept.Keys, kid)
		}
	}
	return nil
}

// kept lists what was revoked since the backup and stays revoked.
type kept struct {
	Keys []string `json:"keys_revoked"`
	recovery.Preserved
}

// recoverInPlace recovers the keyring in a Redis that running servers use, by compare-and-set.
func (r *restoration) recoverInPlace(ctx context.Context, t *redisTarget, newest *memoryKeyring) error {
	if version := t.live.KeyringVersion; newest.version > version {
		if _, err := t.s.SwapKeyring(ctx, version, newest.version, newest.document); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	ring, err := keys.Open(ctx, r.keyringConfig(t.s, t.live.Install.ID))
	if err != nil {
		return fmt.Errorf("keyring: %w; the records are restored, run `signet keys rotate --emergency`", err)
	}
	if err := r.recover(ctx, ring); err != nil {
		return err
	}
	r.replaceMark(ring)
	return nil
}

// restoreReport is the report of a restore.
type restoreReport struct {
	Store        string            `json:"store"`
	Shared       bool              `json:"-"` // several servers can use the store
	From         string            `json:"from"`
	AsOf         time.Time         `json:"as_of"`
	Install      string            `json:"install"`
	Rehearsal    bool              `json:"rehearsal,omitempty"`
	LeftOut      int64             `json:"sessions_left_out,omitempty"` // of a rehearsal
	MovedAside   string            `json:"moved_aside,omitempty"`
	Counts       archive.Counts    `json:"counts"`
	Knew         []string          `json:"known_from"`           // the sources of the history
	Unread       string            `json:"unreadable,omitempty"` // why the replaced store could not be read
	Gaps         []string          `json:"gaps,omitempty"`       // events that are missing in the logs and the trail
	NewerKeyring bool              `json:"newer_keyring"`        // the keyring is that of the store, not the backup's
	Keyring      rotation.Recovery `json:"keyring"`
	Older        bool              `json:"replaced_older,omitempty"` // the store that was replaced is older than the backup
	Kept         kept              `json:"kept"`
	Lost         recovery.Lost     `json:"lost"`
}

func (r restoreReport) write(w io.Writer) { writeRestore(w, r) }

// recoverRecords records in the keyring that every restored record has a seal, and drops the revision floors of the
// replaced records.
func (r *restoration) recoverRecords(ctx context.Context, ring *keys.Manager) error {
	if t, onRedis := r.target.(*redisTarget); !onRedis || t.live == nil {
		if err := ring.Edit().SealRecords(ctx); err != nil {
			return fmt.Errorf("keyring: %w", err)
		}
	}
	if err := ring.Edit().ReplaceFloors(ctx, nil); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}
