package restore

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"

	"signet/keys"
	"signet/store"
	"signet/store/recovery"
)

// rehearse fills the target with the backup as a separate install. It has new signing keys and no sessions, so none of
// its tokens is valid elsewhere.
func (r *restoration) rehearse(ctx context.Context, replaced *recovery.Replaced) error {
	record := r.backup.manifest.Install
	record.ID, record.CreatedAt = rand.Text(), r.now.UTC()
	hand := &memoryKeyring{}
	if err := keys.Init(ctx, r.keyringConfig(hand, record.ID)); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	f := store.Manifest{Install: record, KeyringVersion: hand.version, Keyring: hand.document}
	r.report.Rehearsal, r.report.Keyring.Version = true, hand.version
	o := recovery.NewOverlay(ctx, r.history, replaced, r.cfg.Keys.MaxTokenLife)
	return r.fill(ctx, f, o, r.withoutSessions(o.Records(r.backup.read(ctx))))
}

// withoutSessions removes and counts the sessions.
func (r *restoration) withoutSessions(records iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for record, err := range records {
			if record.Session != nil {
				r.report.LeftOut++
				continue
			}
			if !yield(record, err) {
				return
			}
		}
	}
}
