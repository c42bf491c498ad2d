package privatekey_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/privatekey"
	"signet/keys/secret"
)

// A key that was stored as JSON and opened again is the same key, wherever its private half is.
func TestStoredKeyOpens(t *testing.T) {
	vault := keystest.NewVault()
	for name, source := range map[string]*privatekey.Source{
		"local": privatekey.NewSource(privatekey.Remote{}, time.Minute),
		"vault": privatekey.NewSource(privatekey.Remote{Provider: vault}, time.Minute),
	} {
		for _, alg := range jose.Algorithms {
			kid, k, err := source.New(t.Context(), alg)
			if err != nil {
				t.Fatal(err)
			}
			if k.Held() != name || k.Remote() != (name == "vault") {
				t.Errorf("%s: %s is held by %s", name, kid, k.Held())
			}
			if name == "local" && strings.HasPrefix(kid, "-") { // a provider is not asked for another key because of that
				t.Errorf("%s looks like a flag", kid)
			}
			stored, err := k.Stored()
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(stored)
			if err != nil || strings.Contains(string(text), "pkcs8") == k.Remote() || strings.Contains(string(text), secret.Redacted) {
				t.Errorf("%s: stored as %.40s…, %v", name, text, err)
			}
			var read privatekey.Stored
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			again, opened, err := source.Open(alg, read)
			if err != nil || again != kid {
				t.Fatalf("%s %s: opened as %q, %v; want %q", name, alg, again, err, kid)
			}
			signature, err := opened.Sign(t.Context(), "input")
			if err != nil || k.Verify("input", signature) != nil || k.Verify("Input", signature) == nil {
				t.Errorf("%s %s: the opened key is another one: %v", name, alg, err)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	source := privatekey.NewSource(privatekey.Remote{Provider: keystest.NewVault()}, time.Minute)
	without := privatekey.NewSource(privatekey.Remote{}, time.Minute)
	_, k, err := source.New(t.Context(), jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	remote, err := k.Stored()
	if err != nil {
		t.Fatal(err)
	}
	bent := *remote.Remote
	bent.Public = []byte("x")
	foreign := *remote.Remote
	foreign.Provider = "elsewhere"
	for name, tt := range map[string]struct {
		source  *privatekey.Source
		alg     string
		stored  privatekey.Stored
		foreign bool
	}{
		"no key":               {source: source, alg: jose.ES256},
		"bytes":                {source: source, alg: jose.ES256, stored: privatekey.Stored{PKCS8: privatekey.Clear{Value: secret.Of([]byte("x"))}}},
		"another algorithm":    {source: source, alg: jose.RS256, stored: remote},
		"a bent public key":    {source: source, alg: jose.ES256, stored: privatekey.Stored{Remote: &bent}},
		"another provider":     {source: source, alg: jose.ES256, stored: privatekey.Stored{Remote: &foreign}, foreign: true},
		"without any provider": {source: without, alg: jose.ES256, stored: remote, foreign: true},
	} {
		kid, k, err := tt.source.Open(tt.alg, tt.stored)
		if err == nil || k != nil || kid != "" || errors.Is(err, privatekey.ErrProvider) != tt.foreign {
			t.Errorf("%s: got %q, %v", name, kid, err)
		}
	}
}

func TestRemoteValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		remote privatekey.Remote
		good   bool
	}{
		"none":              {privatekey.Remote{}, true},
		"a provider":        {privatekey.Remote{Provider: keystest.NewVault(), MakeLocal: true}, true},
		"back from nowhere": {privatekey.Remote{MakeLocal: true}, false},
		"negative":          {privatekey.Remote{Queue: -1}, false},
	} {
		if err := tt.remote.Validate(); (err == nil) != tt.good {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The error of a probe is that of the key that signs by default, and it is over when a later probe succeeds.
func TestProber(t *testing.T) {
	vault := keystest.NewVault()
	source := privatekey.NewSource(privatekey.Remote{Provider: vault}, time.Minute)
	prober := source.NewProber(slog.New(slog.DiscardHandler))
	var all []privatekey.Candidate
	for range 2 {
		kid, k, err := source.New(t.Context(), jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, privatekey.Candidate{KID: kid, About: "ES256, active", Key: k})
	}
	primary := all[0].KID
	for _, away := range []bool{false, true, false} {
		vault.Change(func(v *keystest.Vault) { v.Away = away })
		err := prober.Probe(t.Context(), all, primary)
		if errors.Is(err, privatekey.ErrSigner) != away || errors.Is(prober.ErrorOf(primary), keystest.ErrAway) != away {
			t.Errorf("away %v: got %v, of the primary %v", away, err, prober.ErrorOf(primary))
		}
		if err := prober.ErrorOf(all[1].KID); err != nil {
			t.Errorf("away %v: another key: got %v", away, err)
		}
	}
}
