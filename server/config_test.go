package server

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"signet/keys"
	"signet/keys/masterkey"
	"signet/server/password"
	"signet/server/token"
	"signet/store"
	"signet/store/bolt"
)

// However a server, its configuration or a part of it is printed, no key is in it.
func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "signet.db"), bolt.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CreateInstall(t.Context(), store.Install{ID: "x", Schema: bolt.Schema}); err != nil {
		t.Fatal(err)
	}
	ring := keys.Config{Storage: db, InstallID: "x", Master: []masterkey.Key{masterkey.New()}}
	if err := keys.Init(t.Context(), ring); err != nil {
		t.Fatal(err)
	}
	m, err := keys.Open(t.Context(), ring)
	if err != nil {
		t.Fatal(err)
	}
	refresh, throttling := [32]byte{}, [32]byte{}
	for i := range refresh {
		refresh[i], throttling[i] = byte(i*7+3), byte(i*5+11)
	}
	cfg := Config{Issuer: "https://auth.example.com", Store: db, Keys: m, Passwords: password.New(password.Config{}),
		RefreshKeys: [][32]byte{refresh}, ThrottleKeys: [][32]byte{throttling}}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sealer, err := token.NewSealer(cfg.RefreshKeys, func() int { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"Config": cfg, "*Config": &cfg, "[]Config": []Config{cfg}, "sealer of refresh tokens": *sealer,
		"throttle": *s.throttle, "cfg of a Server": s.cfg, "struct": struct{ c Config }{s.cfg}} {
		for _, printed := range printings(v) {
			for _, secret := range [][32]byte{refresh, throttling, refreshSubkey(refresh, "nonce"), refreshSubkey(refresh, "seal")} {
				if shows(printed, secret[8:16]) {
					t.Errorf("%s shows a key: %.300s", name, printed)
				}
			}
		}
	}
}

// refreshSubkey derives a key as package token does.
func refreshSubkey(secret [32]byte, purpose string) [32]byte {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("signet refresh token " + purpose))
	return [32]byte(mac.Sum(nil))
}

func printings(v any) (all []string) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		all = append(all, fmt.Sprintf(verb, v))
	}
	if out, err := json.Marshal(v); err == nil {
		all = append(all, string(out))
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	return append(all, log.String())
}

// shows looks for the piece in the spellings that package fmt and JSON have for bytes.
func shows(printed string, piece []byte) bool {
	decimal, goHex, wide := fmt.Sprintf("%d", piece), fmt.Sprintf("%#v", piece), fmt.Sprintf("% x", piece)
	for _, spelling := range []string{string(piece), strings.Trim(decimal, "[]"), strings.ReplaceAll(strings.Trim(decimal, "[]"), " ", ","),
		strings.TrimSuffix(strings.TrimPrefix(goHex, "[]byte{"), "}"), wide, hex.EncodeToString(piece), strings.ToUpper(hex.EncodeToString(piece)),
		base64.RawStdEncoding.EncodeToString(piece)[:8]} {
		if strings.Contains(printed, spelling) {
			return true
		}
	}
	return false
}

func TestShowsFindsAKey(t *testing.T) {
	t.Parallel()
	secret := [32]byte{}
	for i := range secret {
		secret[i] = byte(i*7 + 3)
	}
	found := 0
	for _, printed := range printings(secret) {
		if shows(printed, secret[8:16]) {
			found++
		}
	}
	if found < 7 {
		t.Errorf("found in %d of %d printings", found, len(printings(secret)))
	}
}
