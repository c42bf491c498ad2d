package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/secret"
)

func TestSecretsAreRedacted(t *testing.T) {
	cfg := testConfig(&keystest.Storage{}, newClock())
	cfg.Algorithms = []string{jose.EdDSA, jose.ES256}
	master := masterkey.New()
	cfg.Master = []masterkey.Key{master}
	m := mustOpen(t, cfg)
	s := m.held.load()
	wrap := master.Derive("signet keyring v1 seal")
	raw := master.Reveal()
	secrets := [][]byte{raw[:], wrap[:]}
	for _, k := range s.Private {
		pkcs8 := pkcs8Of(t, k)
		secrets = append(secrets, pkcs8[len(pkcs8)-32:], pkcs8[16:40])
	}
	type hidden struct{ k masterkey.Key }
	for name, v := range map[string]any{
		"masterkey.Key": master, "*masterkey.Key": &master, "[]masterkey.Key": cfg.Master, "unexported masterkey.Key": hidden{master},
		"Config": Config{Master: cfg.Master, InstallID: "x"}, "Ring": s.Ring, "Key": s.Ring.Keys[0], "*rotation.Key": &s.Ring.Keys[0],
		"KeyInfo": m.Keys(), "rotation.KeySet": s.keySet.KeySet, "privateKey": s.keySet.Signers[0].Private, "document": s.Document, "private keys": s.Private, "member": *s.keySet.Signers[0],
		"sealer": *m.store.sealer,
	} {
		for _, printed := range prints(t, v) {
			for _, secret := range secrets {
				if leaks(printed, secret) {
					t.Errorf("%s leaks: %.200q", name, printed)
				}
			}
		}
	}
	if got := fmt.Sprint(master); got != secret.Redacted {
		t.Errorf("got %q, want %q", got, secret.Redacted)
	}
}

// prints prints v in every way that a careless line of code could.
func prints(t *testing.T, v any) (all []string) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		all = append(all, fmt.Sprintf(verb, v))
	}
	if out, err := json.Marshal(v); err == nil {
		all = append(all, string(out))
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	return append(all, log.String(), fmt.Errorf("%v", v).Error())
}

// leaks looks for eight bytes of the secret in any usual spelling.
func leaks(printed string, secret []byte) bool {
	piece := secret[8:17]
	var decimal, goHex []string
	for _, b := range piece {
		decimal, goHex = append(decimal, fmt.Sprint(b)), append(goHex, fmt.Sprintf("0x%x", b))
	}
	spellings := []string{
		string(piece), strings.Join(decimal, " "), strings.Join(decimal, ","), strings.Join(goHex, ", "), hex.EncodeToString(piece),
		strings.ToUpper(hex.EncodeToString(piece)), fmt.Sprintf("% x", piece),
	}
	for shift := range 3 { // base64 depends on where the piece falls
		spellings = append(spellings, base64.RawStdEncoding.EncodeToString(secret[6+shift:15+shift]), base64.RawURLEncoding.EncodeToString(secret[6+shift:15+shift]))
	}
	return slices.ContainsFunc(spellings, func(s string) bool { return strings.Contains(printed, s) })
}

func TestLeaksFindsALeak(t *testing.T) {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(17 * i)
	}
	for i, printed := range prints(t, [32]byte(secret)) {
		if !leaks(printed, secret) && i != 4 { // %q escapes in its own way
			t.Errorf("not found in %q", printed)
		}
	}
	if out, _ := json.Marshal(secret); !leaks(string(out), secret) {
		t.Errorf("not found in %s", out)
	}
}

func TestSealedDocumentHidesKeys(t *testing.T) {
	s := &keystest.Storage{}
	m := mustOpen(t, testConfig(s, newClock()))
	for kid, k := range m.held.load().Private {
		if bytes.Contains(s.Document, pkcs8Of(t, k)[20:40]) || bytes.Contains(s.Document, []byte(kid)) {
			t.Errorf("key %s can be read in the document", kid)
		}
	}
}

// The one form that holds private keys in the clear is for sealing, and prints nothing of them.
func TestSealedFormIsNotPrinted(t *testing.T) {
	m := mustOpen(t, testConfig(&keystest.Storage{}, newClock()))
	k := m.Keyring().Keys[0]
	stored, err := m.held.load().Private[k.KID].Stored()
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := stored.PKCS8.Reveal()
	for name, v := range map[string]any{"Stored": stored} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if printed := fmt.Sprintf(verb, v); leaks(printed, pkcs8[16:40]) {
				t.Errorf("%s leaks by %s: %.200q", name, verb, printed)
			}
		}
	}
}
