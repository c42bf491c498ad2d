package keys

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"signet/keys/jose"
	"signet/keys/masterkey"
)

func TestRingSurvivesItsDocument(t *testing.T) {
	r, _, err := First(DefaultTimetable(), slices.Clone(jose.Algorithms), testStart, newKey)
	if err != nil {
		t.Fatal(err)
	}
	r.Keys[0].RevokedAt = testStart
	r.Tombstones = []Tombstone{{"gone", testStart, true}}
	r.Leaving = []Leaving{{Alg: jose.RS256, At: testStart}}
	plain, err := encodeRing(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRing(plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Keys {
		if !bytes.Equal(got.Keys[i].private.Reveal().pkcs8, r.Keys[i].private.Reveal().pkcs8) {
			t.Errorf("key %d has another private key", i)
		}
		got.Keys[i].private, r.Keys[i].private = nil, nil
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got  %+v\nwant %+v", got, r)
	}
}

func TestDecodeRingChecksKeys(t *testing.T) {
	r, _, err := First(DefaultTimetable(), []string{jose.ES256, jose.EdDSA}, testStart, newKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Ring){
		"kid is not the thumbprint": func(r *Ring) { r.Keys[0].KID = "x" },
		"same key twice":            func(r *Ring) { r.Keys = append(r.Keys, r.Keys[0]) },
		"buried key":                func(r *Ring) { r.Tombstones = []Tombstone{{KID: r.Keys[0].KID}} },
		"alg of another key type":   func(r *Ring) { r.Keys[0].Alg = jose.RS256 },
		"unknown alg":               func(r *Ring) { r.Keys[0].Alg = "HS256" },
	} {
		bad := r.clone()
		change(&bad)
		plain, err := encodeRing(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeRing(plain, nil); !errors.Is(err, masterkey.ErrFormat) {
			t.Errorf("%s: got %v, want masterkey.ErrFormat", name, err)
		}
	}
}

func FuzzOpenDocument(f *testing.F) {
	s := &memory{}
	cfg := testConfig(s, newClock())
	cfg.Master = []masterkey.Key{masterkey.New()} // each fuzzing process has its own document, which no other's opens as
	m := mustOpen(f, cfg)
	plain, _, err := m.sealer.Open(s.version, s.document)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.document, plain)
	remote := mustOpen(f, remoteConfig(&memory{}, newClock(), newVault()))
	elsewhere, err := encodeRing(remote.state.Load().ring)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("SGKR"), elsewhere)
	f.Add([]byte("SGKR"), []byte("{}"))
	f.Add(s.document[:documentHead+24], []byte(`{"keys":[{"pkcs8":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, document, plain []byte) {
		if _, err := m.open(s.version, document); err == nil && !bytes.Equal(document, s.document) {
			t.Error("another document opens")
		}
		r, err := decodeRing(plain, remote.remote)
		if err != nil {
			return
		}
		again, err := encodeRing(r)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := decodeRing(again, remote.remote); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}
