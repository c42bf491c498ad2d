package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/keys/rotation"
)

func TestRemoteKeysSign(t *testing.T) {
	s, c, v := &keystest.Storage{}, newClock(), keystest.NewVault()
	cfg := remoteConfig(s, c, v)
	cfg.Algorithms = slices.Clone(jose.Algorithms)
	mustOpen(t, cfg)
	m := mustOpen(t, cfg) // as after a restart: all that is left is the document and the vault
	for _, alg := range jose.Algorithms {
		token, kid := mustSign(t, m, alg)
		mustVerify(t, m, token)
		key := m.held.load().keySet.Signer(alg)
		parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key.Private.Public(), nil }, jwt.WithValidMethods([]string{alg}))
		if err != nil || parsed.Header["kid"] != kid {
			t.Errorf("%s: golang-jwt: %v", alg, err)
		}
	}
	if got, want := heldBy(m), map[string]int{"vault": 2 * len(jose.Algorithms)}; !maps.Equal(got, want) {
		t.Errorf("held: got %v, want %v", got, want)
	}
	plain, _, err := m.store.sealer.Open(s.Version, s.Document)
	if err != nil || bytes.Contains(plain, []byte("pkcs8")) {
		t.Errorf("the document of remote keys has a private key in it, or does not open: %v", err)
	}
}

// An install moves to a provider, and back, by its normal rotation, and every token verifies to its end.
func TestKeysMoveByRotation(t *testing.T) {
	s, c, v := &keystest.Storage{}, newClock(), keystest.NewVault()
	local := testConfig(s, c)
	mustOpen(t, local)
	if format := s.Document[documentFormat]; format != masterkey.FormatLocal {
		t.Errorf("format of a local keyring: got %d, want %d", format, masterkey.FormatLocal)
	}
	remote := remoteConfig(s, c, v)
	back := remote
	back.Remote.MakeLocal = true
	for _, stage := range []struct {
		name   string
		cfg    Config
		held   string // where all keys are two rotations later
		format byte
	}{
		{"to the provider", remote, "vault", masterkey.FormatRemote},
		{"back", back, "local", masterkey.FormatLocal},
		{"without the provider", local, "local", masterkey.FormatLocal},
	} {
		m := mustOpen(t, stage.cfg)
		const every = 6 * time.Hour
		for range 65 * 24 * time.Hour / every {
			token, _ := mustSign(t, m, "")
			c.advance(every)
			mustStep(t, m)
			mustVerify(t, m, token)
		}
		if got := heldBy(m); len(got) != 1 || got[stage.held] == 0 {
			t.Errorf("%s: held: got %v, want all in %s", stage.name, got, stage.held)
		}
		if got := s.Document[documentFormat]; got != stage.format {
			t.Errorf("%s: format %d, want %d", stage.name, got, stage.format)
		}
	}
}

func TestKeyringOfAProviderNeedsIt(t *testing.T) {
	s, c, v := &keystest.Storage{}, newClock(), keystest.NewVault()
	running := mustOpen(t, testConfig(s, c)) // a replica that was not given the provider
	m := mustOpen(t, remoteConfig(s, c, v))
	c.advance(31 * 24 * time.Hour)
	mustStep(t, m)
	_, before := s.Get()
	swaps := s.Swaps
	_, err := Open(t.Context(), testConfig(s, c))
	if !errors.Is(err, privatekey.ErrProvider) || !strings.Contains(err.Error(), `"vault"`) {
		t.Errorf("Open: got %v, want ErrProvider that names the vault", err)
	}
	if err := running.Step(t.Context()); !errors.Is(err, privatekey.ErrProvider) {
		t.Errorf("Step: got %v, want ErrProvider", err)
	}
	if _, document := s.Get(); s.Swaps != swaps || !bytes.Equal(document, before) {
		t.Error("the keyring was changed")
	}
}

// testdata/keyring-format1.base64 was written before there were remote keys.
func TestOldDocumentOpens(t *testing.T) {
	text, err := os.ReadFile("testdata/keyring-format1.base64")
	if err != nil {
		t.Fatal(err)
	}
	document, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	cfg := remoteConfig(&keystest.Storage{Version: 1, Document: document}, newClock(), keystest.NewVault())
	cfg.Algorithms = []string{jose.ES256, jose.EdDSA}
	m := mustOpen(t, cfg)
	for _, alg := range cfg.Algorithms {
		token, _ := mustSign(t, m, alg)
		mustVerify(t, m, token)
	}
	if got := heldBy(m)["local"]; got != 4 {
		t.Errorf("got %d local keys, want 4", got)
	}
}

func TestBadSignatureGoesNowhere(t *testing.T) {
	v := keystest.NewVault()
	m := mustOpen(t, remoteConfig(&keystest.Storage{}, newClock(), v))
	other, err := jose.Generate(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	v.Change(func(v *keystest.Vault) { v.Swapped = other })
	if token, _, err := m.Sign(t.Context(), "", "at+jwt", 1); !errors.Is(err, privatekey.ErrSigner) || token != "" {
		t.Errorf("got %q, %v, want ErrSigner", token, err)
	}
}

// An HSM that is away or cannot do an algorithm keeps nothing else from being done.
func TestStepDoesWithoutAKeyThatCannotBeMade(t *testing.T) {
	s, c, v := &keystest.Storage{}, newClock(), keystest.NewVault()
	cfg := remoteConfig(s, c, v)
	cfg.Algorithms = []string{jose.ES256, jose.EdDSA}
	m := mustOpen(t, cfg)
	v.Change(func(v *keystest.Vault) { v.Refuses = jose.ES256 })
	c.advance(31 * 24 * time.Hour)
	if err := m.Step(t.Context()); !errors.Is(err, privatekey.ErrSigner) || !errors.Is(err, keystest.ErrAway) {
		t.Errorf("Step: got %v, want ErrSigner with its reason", err)
	}
	pending := func(alg string) (n int) {
		for _, k := range m.Keys() {
			if k.Alg == alg && k.State == rotation.Pending {
				n++
			}
		}
		return n
	}
	if pending(jose.EdDSA) != 1 || pending(jose.ES256) != 0 {
		t.Errorf("successors: got %d of jose.EdDSA and %d of jose.ES256, want 1 and 0", pending(jose.EdDSA), pending(jose.ES256))
	}
	if _, err := m.Edit().Rotate(t.Context(), jose.ES256); !errors.Is(err, privatekey.ErrSigner) || errors.Is(err, rotation.ErrAlgorithm) {
		t.Errorf("Rotate: got %v, want ErrSigner alone", err)
	}
	if _, err := m.Edit().Rotate(t.Context(), jose.EdDSA); err != nil {
		t.Errorf("Rotate of the other: %v", err)
	}
	if r, err := m.Edit().RotateNow(t.Context(), jose.EdDSA); err != nil || r.Standby == nil {
		t.Errorf("RotateNow of the other: got %+v, %v", r, err)
	}
	v.Change(func(v *keystest.Vault) { v.Refuses = jose.EdDSA })
	if r, err := m.Edit().RotateNow(t.Context(), jose.EdDSA); err != nil || r.Standby != nil || r.Signer == nil {
		t.Errorf("RotateNow where no new key can be made: got %+v, %v", r, err)
	}
	mustSign(t, m, jose.EdDSA)
	mustSign(t, m, jose.ES256) // for as long as it takes
	v.Change(func(v *keystest.Vault) { v.Refuses = "" })
	mustStep(t, m)
	if pending(jose.ES256) != 1 {
		t.Error("no successor once it can be made")
	}
}

// Keys that lost a race are destroyed, those in the keyring never.
func TestUnusedRemoteKeysAreDiscarded(t *testing.T) {
	s, c, v := &keystest.Storage{}, newClock(), keystest.NewVault()
	cfg := remoteConfig(s, c, v)
	var replicas []*Manager
	for range 8 {
		replicas = append(replicas, mustOpen(t, cfg))
	}
	if err := Init(t.Context(), cfg); !errors.Is(err, ErrExists) {
		t.Errorf("second Init: got %v", err)
	}
	for range 5 {
		c.advance(31 * 24 * time.Hour)
		var wg sync.WaitGroup
		for _, m := range replicas {
			wg.Go(func() {
				if err := m.Step(t.Context()); err != nil {
					t.Errorf("Step: %v", err)
				}
			})
		}
		wg.Wait()
	}
	ring := replicas[0].Keyring()
	if made, used := v.Made-len(v.Discarded), len(ring.Keys)+len(ring.Tombstones); made != used {
		t.Errorf("the vault has %d keys and the keyring has %d", made, used)
	}
	for _, k := range ring.Keys {
		if v.Keys[referenceOf(t, replicas[0].held.load().Private[k.KID])] == nil {
			t.Errorf("key %s was destroyed", k.KID)
		}
	}
}

func TestProbeDecidesReady(t *testing.T) {
	c, v := newClock(), keystest.NewVault()
	m := mustOpen(t, remoteConfig(&keystest.Storage{}, c, v))
	if err := errors.Join(m.Probe(t.Context()), m.Ready()); err != nil {
		t.Fatalf("all is well: %v", err)
	}
	pending := referenceOf(t, m.held.load().Private[m.Keyring().Keys[1].KID])
	v.Change(func(v *keystest.Vault) { v.Keys["aside"] = v.Keys[pending]; delete(v.Keys, pending) })
	if err := m.Probe(t.Context()); !errors.Is(err, privatekey.ErrSigner) || !strings.Contains(err.Error(), "pending") {
		t.Errorf("the next key is missing: got %v, want ErrSigner about a pending key", err)
	}
	if err := m.Ready(); err != nil {
		t.Errorf("the next key is missing: not ready: %v", err)
	}
	v.Change(func(v *keystest.Vault) { v.Away = true })
	if err := m.Probe(t.Context()); !errors.Is(err, privatekey.ErrSigner) {
		t.Errorf("away: got %v, want ErrSigner", err)
	}
	if err := m.Ready(); !errors.Is(err, privatekey.ErrSigner) {
		t.Errorf("away: Ready: got %v, want ErrSigner", err)
	}
	v.Change(func(v *keystest.Vault) { v.Away, v.Keys[pending] = false, v.Keys["aside"] })
	if err := errors.Join(m.Probe(t.Context()), m.Ready()); err != nil {
		t.Errorf("back again: %v", err)
	}
}
