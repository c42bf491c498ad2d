package keys

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

func TestDocumentSurvivesEncoding(t *testing.T) {
	d := newDocument(t, timetable.Default(), slices.Clone(jose.Algorithms))
	d.ring.Keys[0].RevokedAt = testStart
	d.ring.Tombstones = []rotation.Tombstone{{KID: "gone", RemovedAt: testStart, Revoked: true}}
	d.ring.Leaving = []rotation.Leaving{{Alg: jose.RS256, At: testStart}}
	d.records = Records{Sealed: true, Floors: map[string]uint32{"admin": 3}}
	plain, err := d.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeDocument(plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range got.ring.Keys {
		if !bytes.Equal(pkcs8Of(t, got.private[k.KID]), pkcs8Of(t, d.private[k.KID])) {
			t.Errorf("key %s has another private key", k.KID)
		}
	}
	if !reflect.DeepEqual(got.ring, d.ring) || !reflect.DeepEqual(got.records, d.records) {
		t.Errorf("got  %+v\nwant %+v", got, d)
	}
}

func TestDecodeDocumentChecksKeys(t *testing.T) {
	d := newDocument(t, timetable.Default(), []string{jose.ES256, jose.EdDSA})
	for name, change := range map[string]func(*rotation.Keyring){
		"kid is not the thumbprint": func(r *rotation.Keyring) { r.Keys[0].KID = "x" },
		"same key twice":            func(r *rotation.Keyring) { r.Keys = append(r.Keys, r.Keys[0]) },
		"key with a tombstone":      func(r *rotation.Keyring) { r.Tombstones = []rotation.Tombstone{{KID: r.Keys[0].KID}} },
		"alg of another key type":   func(r *rotation.Keyring) { r.Keys[0].Alg = jose.RS256 },
		"unknown alg":               func(r *rotation.Keyring) { r.Keys[0].Alg = "HS256" },
	} {
		bad := document{d.ring.Clone(), maps.Clone(d.private), d.records}
		bad.private["x"] = d.private[d.ring.Keys[0].KID]
		change(&bad.ring)
		plain, err := bad.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeDocument(plain, nil); !errors.Is(err, masterkey.ErrFormat) {
			t.Errorf("%s: got %v, want masterkey.ErrFormat", name, err)
		}
	}
}

func FuzzOpenDocument(f *testing.F) {
	s := &keystest.Storage{}
	cfg := testConfig(s, newClock())
	cfg.Master = []masterkey.Key{masterkey.New()} // each fuzzing process has its own document, which no other's opens as
	m := mustOpen(f, cfg)
	plain, _, err := m.store.sealer.Open(s.Version, s.Document)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Document, plain)
	remote := mustOpen(f, remoteConfig(&keystest.Storage{}, newClock(), keystest.NewVault()))
	elsewhere, err := remote.held.load().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("SGKR"), elsewhere)
	f.Add([]byte("SGKR"), []byte("{}"))
	f.Add(s.Document[:documentHead+24], []byte(`{"keys":[{"pkcs8":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, document, plain []byte) {
		if _, err := m.store.open(s.Version, document); err == nil && !bytes.Equal(document, s.Document) {
			t.Error("another document opens")
		}
		r, err := decodeDocument(plain, remote.store.source)
		if err != nil {
			return
		}
		again, err := r.encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := decodeDocument(again, remote.store.source); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}
