package server_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/masterkey"
	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// vault is a keys.Provider that a test can switch off. It is also the storage of the keyring.
type vault struct {
	made       sync.Map // reference to key
	serial     atomic.Int64
	away       atomic.Bool
	signatures atomic.Int64

	version  uint64
	document []byte
}

var errAway = errors.New("the vault is away")

func (*vault) Name() string { return "vault" }

func (v *vault) NewKey(context.Context, string) (string, crypto.PublicKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, err
	}
	reference := fmt.Sprint(v.serial.Add(1))
	v.made.Store(reference, key)
	return reference, &key.PublicKey, nil
}

func (v *vault) Signer(reference string, public crypto.PublicKey) crypto.Signer {
	return vaultSigner{v, reference, public}
}

func (*vault) Discard(context.Context, string) error { return nil }

func (v *vault) LoadKeyring(context.Context) (uint64, []byte, error) {
	return v.version, v.document, nil
}

func (v *vault) SwapKeyring(_ context.Context, _, next uint64, document []byte) (bool, error) {
	v.version, v.document = next, document
	return true, nil
}

type vaultSigner struct {
	v         *vault
	reference string
	public    crypto.PublicKey
}

func (s vaultSigner) Public() crypto.PublicKey { return s.public }

func (s vaultSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.v.away.Load() {
		return nil, errAway
	}
	s.v.signatures.Add(1)
	key, _ := s.v.made.Load(s.reference)
	return key.(crypto.Signer).Sign(rand.Reader, digest, opts)
}

// newRemote starts a server whose signing keys are in a vault.
func newRemote(t *testing.T, change func(*server.Config)) (*servertest.Server, *vault) {
	t.Helper()
	v := &vault{}
	return servertest.New(t, func(cfg *server.Config) {
		ring := keys.Config{Storage: v, InstallID: "x", Master: []masterkey.Key{masterkey.New()}, Now: cfg.Now, Remote: keys.Remote{Provider: v}}
		if err := keys.Init(t.Context(), ring); err != nil {
			t.Fatal(err)
		}
		var err error
		if cfg.Keys, err = keys.Open(t.Context(), ring); err != nil {
			t.Fatal(err)
		}
		change(cfg)
	}), v
}

// unavailable checks that the answer is one after which the request may be repeated.
func unavailable(t *testing.T, r *request) {
	t.Helper()
	a := r.wants(http.StatusServiceUnavailable, "temporarily_unavailable")
	if a.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

// A refresh token is not spent before there is a signature, not even without a grace window.
func TestRefreshSurvivesASignerThatIsAway(t *testing.T) {
	t.Parallel()
	s, v := newRemote(t, func(cfg *server.Config) { cfg.Grace = 0 })
	first := login(t, s).str("refresh_token")
	for range 3 {
		v.away.Store(true)
		unavailable(t, refresh(t, s, first))
		v.away.Store(false)
	}
	second := refresh(t, s, first).wants(http.StatusOK, "")
	if !strings.Contains(s.Log.String(), errAway.Error()) {
		t.Error("the log has no cause of the 503")
	}
	_, claims := decodeJWT(t, second.str("access_token"))
	if claims["sub"] != s.UserID.String() || claims["sid"] == "" || claims["roles"] == nil {
		t.Errorf("claims of a token that was signed ahead: got %v", claims)
	}
	refresh(t, s, first).wants(http.StatusBadRequest, "invalid_grant")                       // spent, as ever
	refresh(t, s, second.str("refresh_token")).wants(http.StatusBadRequest, "invalid_grant") // and so the session is over
	before := v.signatures.Load()
	refresh(t, s, second.str("refresh_token")).wants(http.StatusBadRequest, "invalid_grant")
	if got := v.signatures.Load(); got != before {
		t.Errorf("a session that is over cost %d signatures", got-before)
	}
}

// A token that was signed ahead is not given out when the user was disabled meanwhile.
func TestRefreshThatSignsAheadStillAsksTheStore(t *testing.T) {
	t.Parallel()
	s, _ := newRemote(t, func(cfg *server.Config) {})
	first := login(t, s).str("refresh_token")
	if _, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { u.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	a := refresh(t, s, first).wants(http.StatusBadRequest, "invalid_grant")
	if a.str("access_token") != "" {
		t.Error("a disabled user got a token")
	}
}

// Logins that come to nothing leave no session behind, so they crowd out no other.
func TestLoginsWithoutASignerCrowdNobodyOut(t *testing.T) {
	t.Parallel()
	s, v := newRemote(t, func(cfg *server.Config) { cfg.SessionsPerUser = 3 })
	first := login(t, s).str("refresh_token")
	v.away.Store(true)
	for range 5 {
		unavailable(t, form(t, s, "/token", "grant_type=password", "username=ada", "password="+servertest.Password).web())
	}
	unavailable(t, form(t, s, "/token", "grant_type=client_credentials").web())
	v.away.Store(false)
	sessions, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
	if err != nil || len(sessions) != 1 {
		t.Errorf("got %d sessions, %v, want 1", len(sessions), err)
	}
	refresh(t, s, first).wants(http.StatusOK, "")
}
