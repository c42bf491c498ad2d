package bolt

import (
	"maps"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/layout"
)

// TestAuditOfEarlierVersion: a file whose events are in no class, or some of them, keeps them all, and each
// class then loses its own oldest.
func TestAuditOfEarlierVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		forget func(tx *bbolt.Tx) error // what an earlier version has not written
	}{
		{"never indexed", func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(layout.AuditRings.String())) }},
		{"the last half written by an earlier version", func(tx *bbolt.Tx) error {
			for class := range layout.RingPrefixes {
				for seq := uint64(5001); seq <= 10_000; seq++ {
					if err := tx.Bucket([]byte(layout.AuditRings.String())).Delete(layout.RingKey(class, seq)); err != nil {
						return err
					}
				}
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "signet.db")
			s := mustOpen(t, path)
			for i := range 100 {
				var batch []store.Event
				for range 50 {
					batch = append(batch, store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK}, store.Event{Type: store.EventLogin, Outcome: store.OutcomeRefused})
				}
				if i == 0 {
					batch[0].Type = store.EventUserDisable
				}
				must(t, s.AppendEvents(t.Context(), batch))
				if i%10 == 9 {
					must(t, s.RevokeToken(t.Context(), "any", time.Now().Add(time.Hour))) // takes the events along
				}
			}
			must(t, s.Close())
			db, err := bbolt.Open(path, 0o600, nil)
			must(t, err)
			must(t, db.Update(c.forget))
			must(t, db.Close())

			s, err = Open(path, Options{Retention: store.Retention{store.ClassRefusals: 20}})
			must(t, err)
			t.Cleanup(func() { s.Close() })
			if n := written(t, s, layout.Audit); n != 10_000 {
				t.Fatalf("got %d events after the upgrade, want all 10,000", n)
			}
			classes := map[string]int{}
			must(t, s.db.View(t.Context(), func(tx *layout.Tx) error {
				return tx.Bucket(layout.AuditRings).ForEach(func(key, _ []byte) error {
					classes[string(key[:1])]++
					return nil
				})
			}))
			if want := map[string]int{"a": 1, "s": 4999, "r": 5000}; !maps.Equal(classes, want) {
				t.Errorf("got classes %v, want %v", classes, want)
			}
			for range 30 {
				batch := make([]store.Event, 100)
				for i := range batch {
					batch[i] = store.Event{Type: store.EventLogin, Outcome: store.OutcomeRefused}
				}
				must(t, s.AppendEvents(t.Context(), batch))
			}
			must(t, s.Close())
			s = mustOpen(t, path)
			if n := written(t, s, layout.Audit); n != 5000+5000-30*100 {
				t.Errorf("got %d events after 3,000 more refusals, want all but two refusals for each", n)
			}
		})
	}
}
