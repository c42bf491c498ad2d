package bolt

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"signet/store"
)

// TestCodeOfARestoredStore: a restored backup may lack the redemption of a code, so a code from before the restore is refused. What
// is known to have been redeemed moves along.
func TestCodeOfARestoredStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	ada := moveUser(1, "ada")
	restored := time.Now()
	records := []store.Record{{User: &ada}, {Loss: &store.Loss{At: restored}},
		{UsedCode: &store.UsedCode{UserID: ada.ID, SessionID: store.SessionID{1}, Until: restored.Add(time.Hour)}}}
	must(t, Import(t.Context(), path, nil, moveManifest, stream(records, nil)))
	s := mustOpen(t, path)
	for _, tc := range []struct {
		session byte
		made    time.Duration // after the restore
		want    error
	}{{1, time.Minute, store.ErrExists}, {2, -time.Second, store.ErrNotFound}, {2, time.Second, nil}, {2, time.Second, store.ErrExists}} {
		in := store.Session{ID: store.SessionID{tc.session}, UserID: ada.ID, ClientID: "web", UserEpoch: ada.Epoch, StartedAt: restored, RotatedAt: restored}
		if _, _, err := s.RedeemCode(t.Context(), in, store.SessionLimits{}, restored.Add(tc.made).Add(store.CodeLife)); !errors.Is(err, tc.want) {
			t.Errorf("session %d, made %v after the restore: got %v, want %v", tc.session, tc.made, err, tc.want)
		}
	}
}
