package bolt

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/layout"
	"signet/store/seal"
)

// TestSealRecords: a store of format 1 without seals becomes one of format 2 whose every record has one,
// and holds what it held. A walk that is repeated finds nothing to do, and one with a new master key
// seals everything again.
func TestSealRecords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	seals := seal.New([]masterKey{"new", "old"})
	inUse := 1
	seals.Use(func() int { return inUse })
	s := mustOpenSealed(t, path, seals)
	s.db.SetFormat(store.Format1)
	f := moveManifest
	f.Install.Schema = store.Format1
	must(t, s.db.Update(t.Context(), func(t *layout.Tx) error {
		if err := putManifest(t, f); err != nil {
			return err
		}
		in := intake{}
		for _, r := range moveRecords() {
			if err := in.put(t, r); err != nil {
				return err
			}
		}
		return nil
	}))
	want := exported(t, s)
	if n := countSealed(t, s); n != 0 {
		t.Fatalf("%d records of format 1 have a seal", n)
	}

	if err := s.RaiseFormat(t.Context(), store.Format2); err != nil || s.db.Format() != store.Format2 {
		t.Fatalf("RaiseFormat: %v, format %d", err, s.db.Format())
	}
	if done, err := s.SealRecords(t.Context(), func(store.Sealing) {}); err != nil || done.Sealed == 0 {
		t.Errorf("SealRecords: got %+v, %v", done, err)
	}
	if done, err := s.SealRecords(t.Context(), func(store.Sealing) {}); err != nil || done.Sealed != 0 || done.Looked == 0 {
		t.Errorf("repeated: got %+v, %v, want nothing to do", done, err)
	}
	seals.Require()
	if got := exported(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	inUse = 0
	all := countSealed(t, s)
	if done, err := s.SealRecords(t.Context(), func(store.Sealing) {}); err != nil || done.Sealed != all {
		t.Errorf("with a new master key: got %+v, %v, want %d sealed", done, err, all)
	}
	must(t, s.Close())

	newSeals := seal.New([]masterKey{"new"})
	newSeals.Require()
	must(t, Check(path, newSeals))
	s = mustOpenSealed(t, path, newSeals)
	if got := exported(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("with the new master key alone: got %+v", got)
	}
	must(t, s.Close())
	if s, err := Open(path, Options{Seals: seal.New([]masterKey{"old"})}); err == nil {
		_, err = s.Install(t.Context())
		if !errors.Is(err, seal.ErrForged) {
			t.Errorf("with the old master key alone: got %v", err)
		}
		s.Close()
	}
}

func countSealed(t *testing.T, s *Store) (n int) {
	t.Helper()
	must(t, s.db.File.DB.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(_, value []byte) error {
				if seal.Sealed(value) {
					n++
				}
				return nil
			})
		})
	}))
	return n
}
