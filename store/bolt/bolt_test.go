package bolt

import (
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/seal"
	"signet/store/storetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, Schema, nil) })
}

// TestContractSealed is the contract of a store whose records have seals.
func TestContractSealed(t *testing.T) {
	if testing.Short() {
		t.Skip("the contract of the other format is run; the full suite has this one too")
	}
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, Schema, testSeals()) })
}

// TestContractOfFormat1 is the contract of a store that has not been raised to format 2.
func TestContractOfFormat1(t *testing.T) {
	if testing.Short() {
		t.Skip("the contract of the other format is run; the full suite has this one too")
	}
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, store.Format1, seal.New([]masterKey{"one"})) })
}

func backend(t *testing.T, format int, seals *seal.Keys) storetest.Backend {
	path := filepath.Join(t.TempDir(), "signet.db")
	open := func(t *testing.T) *Store {
		s := mustOpenSealed(t, path, seals)
		s.db.SetFormat(format)
		return s
	}
	s := open(t)
	return storetest.Backend{
		OneProcess: true,
		Store:      s,
		Reopen: func(t *testing.T) store.Store {
			s.Close()
			return open(t)
		},
		OpenError: func(t *testing.T) error {
			s.Close()
			_, err := Open(path, Options{Seals: seals})
			return err
		},
		Retain: func(t *testing.T, keep store.Retention) store.Store {
			s, err := Open(filepath.Join(t.TempDir(), "signet.db"), Options{Create: true, Retention: keep, Seals: seals})
			must(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		},
		Bound: func(t *testing.T, logouts int) store.Store {
			s, err := Open(filepath.Join(t.TempDir(), "signet.db"), Options{Create: true, MaxLogouts: logouts, Seals: seals})
			must(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		},
		Fault: func(t *testing.T, at storetest.Fault) func() { return s.injectFault(at) },
	}
}

// masterKey derives as a master key does.
type masterKey string

func (m masterKey) Derive(purpose string) [32]byte { return sha256.Sum256([]byte(string(m) + purpose)) }

// testSeals are those of one master key, without which no record is read.
func testSeals(others ...masterKey) *seal.Keys {
	seals := seal.New(append([]masterKey{"one"}, others...))
	seals.Require()
	return seals
}

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	return mustOpenSealed(t, path, nil)
}

func mustOpenSealed(t testing.TB, path string, seals *seal.Keys) *Store {
	t.Helper()
	s, err := Open(path, Options{Create: true, Seals: seals})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if _, isTest := t.(*testing.T); isTest { // a benchmark measures the sync
		s.db.File.DB.NoSync = true // no test here cuts the power
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func testStore(t testing.TB) *Store { return mustOpen(t, filepath.Join(t.TempDir(), "signet.db")) }

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ready(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

var errInjected = errors.New("no space left on device, in a test")

func (s *Store) injectFault(at storetest.Fault) (clear func()) {
	commit := func(tx *bbolt.Tx) error {
		if at == storetest.AfterCommit {
			return errors.Join(errInjected, tx.Commit())
		}
		return errors.Join(errInjected, tx.Rollback())
	}
	s.db.Commit.Store(&commit)
	return func() { s.db.Commit.Store(nil) }
}
