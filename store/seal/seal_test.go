package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"signet/keys/masterkey"
	"signet/store/seal"
)

func TestSeal(t *testing.T) {
	master := []masterkey.Key{masterkey.New(), masterkey.New()}
	k := seal.New(master)
	key, record := []byte("ada"), []byte("a record")
	sealed := k.Seal(seal.User, key, bytes.Clone(record))
	if len(sealed) != len(record)+seal.Overhead || !bytes.HasPrefix(sealed, record) || !seal.Sealed(sealed) || !k.Current(sealed) {
		t.Fatalf("sealed: %q", sealed)
	}
	got, err := k.Open(seal.User, key, sealed)
	if err != nil || !bytes.Equal(got, record) {
		t.Errorf("Open: got %q, %v", got, err)
	}
	if got := append(got, "longer"...); !bytes.Equal(sealed[:len(record)], record) || len(got) == 0 {
		t.Error("appending to an opened record changes what it was in")
	}

	old := seal.New(master[1:]).Seal(seal.User, key, bytes.Clone(record))
	if _, err := k.Open(seal.User, key, old); err != nil {
		t.Errorf("under the second master key: %v", err)
	}
	if k.Current(old) {
		t.Error("a record under the second master key is current while the first seals")
	}
	k.Use(func() int { return 1 })
	if !k.Current(old) || !bytes.Equal(k.Seal(seal.User, key, bytes.Clone(record)), old) {
		t.Error("the second master key does not seal")
	}
}

// A sealed install is a JSON object that a version without seals can read.
func TestSealedInstall(t *testing.T) {
	k := seal.New([]masterkey.Key{masterkey.New()})
	record := []byte(`{"id":"x","schema":2}`)
	sealed := k.Seal(seal.Install, nil, bytes.Clone(record))
	var in struct {
		ID     string
		Schema int
	}
	if err := json.Unmarshal(sealed, &in); err != nil || in.ID != "x" || in.Schema != 2 {
		t.Fatalf("got %q: %+v, %v", sealed, in, err)
	}
	if got, err := k.Open(seal.Install, nil, sealed); err != nil || !bytes.Equal(got, record) || !k.Current(sealed) || !bytes.Equal(seal.Unverified(sealed), record) {
		t.Errorf("Open: got %q, %v", got, err)
	}
	k.Require()
	for i := range sealed {
		flipped := bytes.Clone(sealed)
		flipped[i] ^= 1
		if got, err := k.Open(seal.Install, nil, flipped); !errors.Is(err, seal.ErrForged) {
			t.Errorf("byte %d flipped: got %q, %v", i, got, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	k := seal.New([]masterkey.Key{masterkey.New()})
	var told []string
	k.OnForged(func(e *seal.Error) { told = append(told, e.Error()) })
	key := []byte("ada")
	sealed := k.Seal(seal.User, key, []byte("record"))
	for name, try := range map[string]func() ([]byte, error){
		"another place": func() ([]byte, error) { return k.Open(seal.User, []byte("bob"), sealed) },
		"another kind":  func() ([]byte, error) { return k.Open(seal.Name, key, sealed) },
		"another master key": func() ([]byte, error) {
			return seal.New([]masterkey.Key{masterkey.New()}).Open(seal.User, key, sealed)
		},
		"a longer key": func() ([]byte, error) { return k.Open(seal.User, []byte("adar"), sealed[1:]) },
	} {
		if got, err := try(); !errors.Is(err, seal.ErrForged) || got != nil {
			t.Errorf("%s: got %q, %v, want ErrForged", name, got, err)
		}
	}
	for i := range sealed { // wherever a bit flips
		for bit := range 8 {
			spoilt := bytes.Clone(sealed)
			spoilt[i] ^= 1 << bit
			got, err := k.Open(seal.User, key, spoilt)
			if seal.Sealed(spoilt) && !errors.Is(err, seal.ErrForged) {
				t.Errorf("bit %d of byte %d: got %q, %v, want ErrForged", bit, i, got, err)
			}
		}
	}
	if len(told) == 0 || k.Forged() == 0 {
		t.Errorf("told %v, counted %d", told, k.Forged())
	}
}

// TestUnsealed: what was written before there were seals is taken until they are required.
func TestUnsealed(t *testing.T) {
	k := seal.New([]masterkey.Key{masterkey.New()})
	if got, err := k.Open(seal.Client, nil, []byte(`{"a":1}`)); err != nil || string(got) != `{"a":1}` {
		t.Errorf("got %q, %v", got, err)
	}
	k.Require()
	if got, err := k.Open(seal.Client, nil, []byte(`{"a":1}`)); !errors.Is(err, seal.ErrForged) {
		t.Errorf("once required: got %q, %v, want ErrForged", got, err)
	}
	var none *seal.Keys
	if got, err := none.Open(seal.Client, nil, none.Seal(seal.Client, nil, []byte("x"))); err != nil || string(got) != "x" || none.Required() || none.Forged() != 0 {
		t.Errorf("no keys: got %q, %v", got, err)
	}
}

func TestConcurrentUse(t *testing.T) {
	k := seal.New([]masterkey.Key{masterkey.New()})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 500 {
				key, record := []byte{byte(g)}, bytes.Repeat([]byte{byte(i)}, i)
				if _, err := k.Open(seal.Session, key, k.Seal(seal.Session, key, record)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkOpen(b *testing.B) {
	k := seal.New([]masterkey.Key{masterkey.New()})
	key := bytes.Repeat([]byte{7}, 16)
	sealed := k.Seal(seal.User, key, bytes.Repeat([]byte{1}, 220))
	for b.Loop() {
		if _, err := k.Open(seal.User, key, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
