package server_test

import (
	"slices"
	"testing"
	"time"

	"signet/keys"
	"signet/server"
	"signet/server/servertest"
	"signet/store/bolt"
)

// TestKeyEventsAreKept: the events of a keyring are kept with it, and are on the trail once, whether the recorder writes
// them or not.
func TestKeyEventsAreKept(t *testing.T) {
	t.Parallel()
	for name, recorder := range map[string]bool{"the recorder writes them": true, "the process dies before it does": false} {
		t.Run(name, func(t *testing.T) {
			s := servertest.New(t, func(cfg *server.Config) {
				if !recorder {
					cfg.Store = mute{cfg.Store.(*bolt.Store)}
				}
			})
			cfg := s.KeyConfig
			cfg.OnEvent, cfg.Writing = s.KeyEvent, s.WritingKeys
			m, err := keys.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			done, err := m.Edit().RotateNow(t.Context(), "ES256")
			if err != nil {
				t.Fatal(err)
			}
			s.Server.Close()
			if _, err := s.Store.Sweep(t.Context(), time.Now().Add(24*time.Hour), s.Config.Lifetimes); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range allEvents(t, s.Store) {
				if e.Type == "key.activated" && e.KeyID != done.Signer.KID || e.Detail["version"] == "" {
					t.Errorf("got %+v", e)
				}
				got = append(got, e.Type)
			}
			slices.Sort(got)
			if want := []string{"key.activated", "key.created", "key.retired", "key.scheduled"}; !slices.Equal(got, want) {
				t.Errorf("the trail has %q, want %q", got, want)
			}
		})
	}
}
