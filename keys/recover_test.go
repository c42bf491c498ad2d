package keys

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/rotation"
)

// backedUp is a keyring of some age, as a backup has it, and a manager that goes on.
func backedUp(t *testing.T, age time.Duration, algs ...string) (cfg Config, s *keystest.Storage, backup *keystest.Storage, m *Manager, c *clock) {
	t.Helper()
	s, c = &keystest.Storage{}, newClock()
	cfg = testConfig(s, c)
	cfg.Algorithms = algs
	m = mustOpen(t, cfg)
	version, document := s.Get()
	backup = &keystest.Storage{Version: version, Document: bytes.Clone(document)}
	c.advance(age)
	mustStep(t, m)
	return cfg, s, backup, m, c
}

func from(cfg Config, backup *keystest.Storage) Config {
	cfg.Storage = backup
	return cfg
}

func TestRecover(t *testing.T) {
	for _, tc := range []struct {
		name string
		age  time.Duration // of the backup
		algs []string
	}{
		{"hours old", 26 * time.Hour, []string{jose.ES256}},
		{"taken at once", time.Minute, []string{jose.ES256}},
		{"several algorithms", 48 * time.Hour, []string{jose.ES256, jose.EdDSA}},
		{"older than its successor's turn", 45 * 24 * time.Hour, []string{jose.ES256}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, _, backup, m, c := backedUp(t, tc.age, tc.algs...)
			restored := mustOpen(t, from(cfg, backup))
			token, before := mustSign(t, restored, "")
			_, leaked := mustSign(t, m, "")
			if _, err := m.Edit().Revoke(t.Context(), leaked, rotation.RevokeOptions{Emergency: true}); err != nil {
				t.Fatal(err)
			}
			was := restored.Version()
			r, err := restored.Edit().Recover(t.Context(), m.Keyring().Revoked())
			if err != nil {
				t.Fatal(err)
			}
			if r.Version != was+1 || restored.Version() != was+1 {
				t.Errorf("version: got %d, want one more than %d", r.Version, was)
			}
			if !slices.Equal(r.Revoked, []string{leaked}) {
				t.Errorf("revoked: got %v, want %s", r.Revoked, leaked)
			}
			set, err := restored.JWKS()
			if err != nil || strings.Contains(string(set.Body), leaked) {
				t.Errorf("the key set has the revoked key: %s %v", set.Body, err)
			}
			var claims any
			if _, err := restored.Verify(token, "at+jwt", &claims); (err == nil) != (before != leaked) {
				t.Errorf("a token of %s, revoked %s: got %v", before, leaked, err)
			}
			if _, after := mustSign(t, restored, ""); after == leaked || after == before {
				t.Errorf("%s signs, want another than %s", after, before)
			}
			for _, alg := range tc.algs {
				if active := activeOf(restored.held.load().Ring, alg, c.now()); len(active) != 1 {
					t.Errorf("%s has %d active keys", alg, len(active))
				}
			}
			if want := len(tc.algs) - 1; before == leaked && len(r.Rotations) != want || before != leaked && len(r.Rotations) != want+1 {
				t.Errorf("rotations: got %+v", r.Rotations)
			}
			c.advance(cfg.Timetable.Retain + 100*24*time.Hour)
			mustStep(t, restored)
			if !slices.Contains(restored.Keyring().Revoked(), leaked) {
				t.Error("it does not remember for ever that the key was revoked")
			}
		})
	}
}

// TestRecoverForgetsNothing: a kid that the backup does not have, or has as gone, never comes in again.
func TestRecoverForgetsNothing(t *testing.T) {
	cfg, _, backup, _, c := backedUp(t, time.Hour, jose.ES256)
	restored := mustOpen(t, from(cfg, backup))
	_, first := mustSign(t, restored, "")
	for range 3 {
		c.advance(31 * 24 * time.Hour)
		mustStep(t, restored)
	}
	r, err := restored.Edit().Recover(t.Context(), []string{first, "never-seen"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{first, "never-seen"}; !slices.Equal(r.Revoked, want) || !slices.Equal(restored.Keyring().Revoked(), want) {
		t.Errorf("revoked: got %v and remembered %v, want %v", r.Revoked, restored.Keyring().Revoked(), want)
	}
	again, err := restored.Edit().Recover(t.Context(), []string{first, "never-seen"})
	if err != nil || len(again.Revoked) != 0 {
		t.Errorf("once more: got %v, %v, want nothing new", again.Revoked, err)
	}
}

// TestRecoveredKeyringBesideRunningReplicas: one that has seen a change since the backup does not
// accept the recovered keyring, and writes its own over it; one that has not takes it.
func TestRecoveredKeyringBesideRunningReplicas(t *testing.T) {
	cfg, s, backup, m, c := backedUp(t, 26*time.Hour, jose.ES256)
	_, leaked := mustSign(t, m, "")
	if _, err := m.Edit().Revoke(t.Context(), leaked, rotation.RevokeOptions{}); err != nil {
		t.Fatal(err)
	}
	_, signs := mustSign(t, m, "")
	restored := mustOpen(t, from(cfg, backup))
	if _, err := restored.Edit().Recover(t.Context(), nil); err != nil { // the revocation is not known
		t.Fatal(err)
	}
	s.Set(backup.Get())
	c.advance(time.Minute)
	mustStep(t, m)
	if _, kid := mustSign(t, m, ""); kid != signs {
		t.Errorf("%s signs, want still %s", kid, signs)
	}
	fresh := mustOpen(t, cfg)
	if !slices.Contains(fresh.Keyring().Revoked(), leaked) || fresh.Version() != m.Version() {
		t.Errorf("a fresh replica holds version %d and has revoked %v, want %d and %s", fresh.Version(), fresh.Keyring().Revoked(), m.Version(), leaked)
	}

	cfg, s, backup, m, _ = backedUp(t, time.Minute, jose.ES256)
	restored = mustOpen(t, from(cfg, backup))
	r, err := restored.Edit().Recover(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Set(backup.Get())
	mustStep(t, m)
	if _, kid := mustSign(t, m, ""); m.Version() != r.Version || kid != r.Rotations[0].Signer.KID {
		t.Errorf("a replica that knew no more than the backup holds version %d and signs with %s, want %+v", m.Version(), kid, r)
	}
}
