//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	cryptoki "github.com/miekg/pkcs11"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/privatekey"
)

var everyAlgorithm = []string{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}

// Two independent libraries verify what the token signed, with the key set alone; also
// after everything but the token and the keyring is gone.
func TestSignsForOthers(t *testing.T) {
	h, s := newSoftHSM(t), &keystest.Storage{}
	openKeys(t, s, h.open(t), everyAlgorithm...)
	again := h.open(t)
	if err := again.Check(t.Context(), everyAlgorithm); err != nil {
		t.Fatal(err)
	}
	m := openKeys(t, s, again, everyAlgorithm...)
	set, err := m.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var jwks gojose.JSONWebKeySet
	if err := json.Unmarshal(set.Body, &jwks); err != nil {
		t.Fatal(err)
	}
	for _, alg := range everyAlgorithm {
		for range 20 { // R and S are shorter now and then
			token, kid, err := m.Sign(t.Context(), alg, "at+jwt", map[string]string{"sub": "somebody"})
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			key := jwks.Key(kid)[0]
			parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key.Key, nil }, jwt.WithValidMethods([]string{alg}))
			if err != nil || !parsed.Valid {
				t.Errorf("%s: golang-jwt: %v", alg, err)
			}
			signed, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatalf("%s: go-jose: %v", alg, err)
			}
			if payload, err := signed.Verify(key); err != nil || string(payload) != `{"sub":"somebody"}` {
				t.Errorf("%s: go-jose: %s, %v", alg, payload, err)
			}
		}
	}
}

// No private key comes out of the token, not even with its PIN.
func TestPrivateKeyStays(t *testing.T) {
	h := newSoftHSM(t)
	p := h.open(t)
	for alg, secret := range map[string]uint{jose.ES256: cryptoki.CKA_VALUE, jose.RS256: cryptoki.CKA_PRIVATE_EXPONENT, jose.EdDSA: cryptoki.CKA_VALUE} {
		reference, _, err := p.NewKey(t.Context(), alg)
		if err != nil {
			t.Fatal(err)
		}
		err = p.use(t.Context(), false, func(c *connection) error {
			return c.writing(func(s cryptoki.SessionHandle) error {
				key, err := c.privateKey(s, reference)
				if err != nil {
					return err
				}
				got, err := c.lib.GetAttributeValue(s, key, []*cryptoki.Attribute{cryptoki.NewAttribute(secret, nil)})
				if !is(err, cryptoki.CKR_ATTRIBUTE_SENSITIVE) {
					t.Errorf("%s: asking for the private value: got %v, %v, want CKR_ATTRIBUTE_SENSITIVE", alg, got, err)
				}
				for _, change := range []*cryptoki.Attribute{cryptoki.NewAttribute(cryptoki.CKA_EXTRACTABLE, true), cryptoki.NewAttribute(cryptoki.CKA_SENSITIVE, false)} {
					if err := c.lib.SetAttributeValue(s, key, []*cryptoki.Attribute{change}); err == nil {
						t.Errorf("%s: attribute %#x can be changed", alg, change.Type)
					}
				}
				wrapping, err := c.lib.GenerateKey(s, []*cryptoki.Mechanism{cryptoki.NewMechanism(cryptoki.CKM_AES_KEY_GEN, nil)}, []*cryptoki.Attribute{
					cryptoki.NewAttribute(cryptoki.CKA_VALUE_LEN, 32), cryptoki.NewAttribute(cryptoki.CKA_WRAP, true)})
				if err != nil {
					return err
				}
				wrapped, err := c.lib.WrapKey(s, []*cryptoki.Mechanism{cryptoki.NewMechanism(cryptoki.CKM_AES_KEY_WRAP, nil)}, wrapping, key)
				if !is(err, cryptoki.CKR_KEY_UNEXTRACTABLE) {
					t.Errorf("%s: wrapping it: got %d bytes, %v, want CKR_KEY_UNEXTRACTABLE", alg, len(wrapped), err)
				}
				return nil
			})
		})
		if err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// What is pulled from under the connection comes back by itself, within the same signature.
func TestConnectionComesBack(t *testing.T) {
	h := newSoftHSM(t)
	p := h.open(t)
	m := openKeys(t, &keystest.Storage{}, p, jose.ES256)
	for _, tc := range []struct {
		name string
		pull func(c *connection) error
	}{
		{"sessions closed", func(c *connection) error { return c.lib.CloseAllSessions(c.slot) }},
		{"logged out", func(c *connection) error { return c.lib.Logout(c.home) }},
		{"library finalized", func(c *connection) error { return c.lib.Finalize() }},
		{"handles of before", func(c *connection) error {
			for reference := range c.objects {
				c.objects[reference] += 1000
			}
			return nil
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 {
				if _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); err != nil {
					t.Fatal(err)
				}
				if err := tc.pull(p.current); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); err != nil {
				t.Error(err)
			}
		})
	}
}

// The token goes away under load: every signature fails cleanly and soon, and the first ones after
// its return succeed.
func TestTokenGoesAwayUnderLoad(t *testing.T) {
	h := newSoftHSM(t)
	m := openKeys(t, &keystest.Storage{}, h.open(t), jose.ES256)
	var good, bad, wrong atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 12 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); {
				case err == nil:
					good.Add(1)
				case errors.Is(err, privatekey.ErrSigner):
					bad.Add(1)
					time.Sleep(time.Millisecond)
				default:
					wrong.Add(1)
					t.Errorf("got %v, want ErrSigner", err)
				}
			}
		})
	}
	more := func(what string, n *atomic.Int64) {
		t.Helper()
		for want, deadline := n.Load()+100, time.Now().Add(20*time.Second); n.Load() < want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("no more %s signatures", what)
				return
			}
		}
	}
	for range 2 {
		more("good", &good)
		if err := os.Rename(h.dir, h.dir+".away"); err != nil {
			t.Fatal(err)
		}
		more("failed", &bad)
		if err := os.Rename(h.dir+".away", h.dir); err != nil {
			t.Fatal(err)
		}
	}
	more("good", &good)
	close(stop)
	load.Wait()
	if err := m.Probe(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestConcurrentSignatures(t *testing.T) {
	h := newSoftHSM(t)
	p := h.open(t)
	algs := []string{jose.ES256, jose.EdDSA}
	m := openKeys(t, &keystest.Storage{}, p, algs...)
	var load sync.WaitGroup
	for i := range 16 {
		load.Go(func() {
			for range 50 {
				token, _, err := m.Sign(t.Context(), algs[i%2], "at+jwt", i)
				if err != nil {
					t.Error(err)
					return
				}
				var claims int
				if _, err := m.Verify(token, "at+jwt", &claims); err != nil || claims != i {
					t.Errorf("got %v, %v", claims, err)
				}
			}
		})
	}
	load.Wait()
	if got := len(p.current.idle); got == 0 || got > 8 {
		t.Errorf("%d sessions are open, want at most as many as there were signatures at once (8)", got)
	}
}

// A call that does not come back keeps the library from being finalized under it: until it does the
// others get an error in time, and then all is well again.
func TestHangingCallIsWaitedFor(t *testing.T) {
	h := newSoftHSM(t)
	p := h.open(t)
	if err := p.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	hold, inside, left := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		left <- p.use(t.Context(), true, func(*connection) error { close(inside); <-hold; return nil })
	}()
	<-inside
	if err := p.current.lib.CloseAllSessions(p.current.slot); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	check := func(ctx context.Context) error {
		return p.use(ctx, true, func(c *connection) error { return c.loggedIn(c.home) })
	}
	if err := check(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "has not come back") {
		t.Errorf("while it hangs: got %v, want that a call has not come back", err)
	}
	close(hold)
	if err := <-left; err != nil {
		t.Errorf("the one that hung: %v", err)
	}
	if err := check(t.Context()); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// A wrong PIN is tried once, however often it is given.
func TestWrongPINIsTriedOnce(t *testing.T) {
	h := newSoftHSM(t)
	p := h.open(t)
	h.pin = "wrong"
	for _, want := range []string{"refuses the PIN", "has refused this PIN"} {
		if err := p.Check(t.Context(), nil); !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrSetup with %q", err, want)
		}
		p.failedAt = time.Time{} // as if the pause were over
	}
	h.pin = testPIN
	if err := p.Check(t.Context(), nil); err != nil {
		t.Errorf("the right PIN: %v", err)
	}
}

func TestSetup(t *testing.T) {
	h := newSoftHSM(t)
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*Config)
		algs   []string
		setup  bool
		want   string
	}{
		{"no module", func(c *Config) { c.Module = "/nowhere.so" }, nil, true, "/nowhere.so"},
		{"not a library", func(c *Config) { c.Module = text }, nil, true, "cannot be loaded"},
		{"other token", func(c *Config) { c.Token = "other" }, nil, false, `token "other" is not there`},
		{"no PIN", func(c *Config) { c.PIN = func() (string, error) { return "", fmt.Errorf("pin_file: gone") } }, nil, true, "pin_file: gone"},
		{"unknown algorithm", func(*Config) {}, []string{jose.ES256, "HS256"}, true, "HS256 is not supported"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := h.config()
			tc.change(&cfg)
			p, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Check(t.Context(), tc.algs); err == nil || errors.Is(err, ErrSetup) != tc.setup || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q, ErrSetup %v", err, tc.want, tc.setup)
			}
		})
	}
	h.addToken(t, testLabel)
	if err := h.open(t).Check(t.Context(), nil); !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), "2 tokens") {
		t.Errorf("two tokens of one label: got %v, want ErrSetup", err)
	}
}

func TestDiscard(t *testing.T) {
	h := newSoftHSM(t)
	p := h.open(t)
	kept, public, err := p.NewKey(t.Context(), jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	unused, _, err := p.NewKey(t.Context(), jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Discard(t.Context(), unused); err != nil {
		t.Fatal(err)
	}
	err = p.use(t.Context(), false, func(c *connection) error {
		objects, err := c.search(c.home, cryptoki.NewAttribute(cryptoki.CKA_TOKEN, true))
		if len(objects) != 2 {
			t.Errorf("the token has %d objects, want the pair that was kept", len(objects))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for reference, want := range map[string]string{kept: "", unused: "0 private keys", "zz": "not a reference", "00": "not a reference"} {
		_, err := p.Signer(reference, public).Sign(nil, make([]byte, 32), crypto.SHA256)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("signing with %s: got %v, want %q", reference, err, want)
		}
	}
	if err := p.Discard(t.Context(), "*"); err == nil {
		t.Error("something that is no reference was discarded")
	}
}
