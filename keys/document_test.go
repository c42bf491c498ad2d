package keys

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"signet/keys/document"
	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

func TestDocumentSurvivesEncoding(t *testing.T) {
	d := newDocument(t, timetable.Default(), slices.Clone(jose.Algorithms))
	d.Ring.Keys[0].RevokedAt = testStart
	d.Ring.Tombstones = []rotation.Tombstone{{KID: "gone", RemovedAt: testStart, Revoked: true}}
	d.Ring.Leaving = []rotation.Leaving{{Alg: jose.RS256, At: testStart}}
	d.Records = document.Records{Sealed: true, Floors: map[string]uint32{"admin": 3}}
	plain, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := document.Decode(plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range got.Ring.Keys {
		if !bytes.Equal(pkcs8Of(t, got.Private[k.KID]), pkcs8Of(t, d.Private[k.KID])) {
			t.Errorf("key %s has another private key", k.KID)
		}
	}
	if !reflect.DeepEqual(got.Ring, d.Ring) || !reflect.DeepEqual(got.Records, d.Records) {
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
		bad := document.Document{Ring: d.Ring.Clone(), Private: maps.Clone(d.Private), Records: d.Records}
		bad.Private["x"] = d.Private[d.Ring.Keys[0].KID]
		change(&bad.Ring)
		plain, err := bad.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := document.Decode(plain, nil); !errors.Is(err, masterkey.ErrFormat) {
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
	elsewhere, err := remote.held.load().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("SGKR"), elsewhere)
	f.Add([]byte("SGKR"), []byte("{}"))
	f.Add(s.Document[:documentHead+24], []byte(`{"keys":[{"pkcs8":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, sealed, plain []byte) {
		if _, err := m.store.open(s.Version, sealed); err == nil && !bytes.Equal(sealed, s.Document) {
			t.Error("another document opens")
		}
		r, err := document.Decode(plain, remote.store.source)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := document.Decode(again, remote.store.source); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}
