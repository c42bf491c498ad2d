package document

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/keys/jose"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/keys/rotation"
)

func oneKey(t *testing.T) (d Document, pkcs8 []byte) {
	t.Helper()
	kid, k, err := privatekey.NewSource(privatekey.Remote{}, time.Minute).New(t.Context(), jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := k.Stored()
	if err != nil {
		t.Fatal(err)
	}
	ring := rotation.Keyring{Keys: []rotation.Key{{KID: kid, Alg: jose.ES256}}}
	return Document{Ring: ring, Private: map[string]*privatekey.Key{kid: k}}, stored.PKCS8.Reveal()
}

// The one form that holds private keys in the clear is for sealing, and prints nothing of them.
func TestClearFormIsNotPrinted(t *testing.T) {
	d, pkcs8 := oneKey(t)
	stored, err := d.Private[d.Ring.Keys[0].KID].Stored()
	if err != nil {
		t.Fatal(err)
	}
	piece := pkcs8[36:48] // of the secret number
	if plain, err := d.Encode(); err != nil || !bytes.Contains(plain, []byte(base64.StdEncoding.EncodeToString(pkcs8))) {
		t.Fatalf("the bytes to be sealed lack the key: %v", err)
	}
	k := clearKey{d.Ring.Keys[0], stored}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{d, k, clearDocument{Keys: []clearKey{k}}} {
			printed := strings.ToLower(fmt.Sprintf(verb, v))
			decimal := strings.Trim(fmt.Sprint(piece), "[]")
			for _, form := range []string{string(piece), hex.EncodeToString(piece), decimal, strings.ReplaceAll(decimal, " ", ", ")} {
				if strings.Contains(printed, strings.ToLower(form)) {
					t.Errorf("%T shows the key by %s: %.200q", v, verb, printed)
				}
			}
		}
	}
}

// WithRecords changes the records and nothing else, under the key that the document is sealed with.
func TestWithRecords(t *testing.T) {
	d, _ := oneKey(t)
	master := []masterkey.Key{masterkey.New(), masterkey.New()}
	sealer, err := masterkey.NewSealer("install", master)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealer.Seal(7, d.Format(), plain, 1)
	next, changed, err := WithRecords("install", master, 7, sealed, Records{Sealed: true, Floors: map[string]uint32{"admin": 3}})
	if err != nil || next != 8 {
		t.Fatalf("got version %d, %v", next, err)
	}
	got, err := ReadContents("install", master, next, changed)
	if err != nil || got.Master != 1 || !got.Records.Sealed || got.Records.Floors["admin"] != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	opened, _, err := sealer.Open(next, changed)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(opened, privatekey.NewSource(privatekey.Remote{}, time.Minute))
	if err != nil || !slices.EqualFunc(again.Ring.Keys, d.Ring.Keys, func(a, b rotation.Key) bool { return a.KID == b.KID && a.Alg == b.Alg }) {
		t.Errorf("the keys are others: %+v, %v", again.Ring, err)
	}
	for name, version := range map[string]uint64{"renumbered": 9, "as before": 7} {
		if _, err := ReadContents("install", master, version, changed); err == nil {
			t.Errorf("%s: it opens", name)
		}
	}
}
