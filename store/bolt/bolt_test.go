package bolt

import (
	"errors"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, Schema) })
}

// TestContractOfFormat1 is the contract of a store that has not been raised to format 2.
func TestContractOfFormat1(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, store.Format1) })
}

func backend(t *testing.T, format int) storetest.Backend {
	path := filepath.Join(t.TempDir(), "signet.db")
	open := func(t *testing.T) *Store {
		s := mustOpen(t, path)
		s.SetFormat(format)
		return s
	}
	s := open(t)
	return storetest.Backend{
		Store: s,
		Reopen: func(t *testing.T) store.Store {
			s.Close()
			return open(t)
		},
		OpenError: func(t *testing.T) error {
			s.Close()
			_, err := Open(path, Options{})
			return err
		},
		Retain: func(t *testing.T, keep store.Retention) store.Store {
			s, err := Open(filepath.Join(t.TempDir(), "signet.db"), Options{Create: true, Retention: keep})
			must(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		},
		Fault: func(t *testing.T, at storetest.Fault) func() { return s.injectFault(at) },
	}
}

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{Create: true})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var errInjected = errors.New("no space left on device, says the test")

func (s *Store) injectFault(at storetest.Fault) (clear func()) {
	commit := func(tx *bbolt.Tx) error {
		if at == storetest.AfterCommit {
			return errors.Join(errInjected, tx.Commit())
		}
		return errors.Join(errInjected, tx.Rollback())
	}
	s.commit.Store(&commit)
	return func() { s.commit.Store(nil) }
}
