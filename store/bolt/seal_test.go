package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/layout"
	"signet/store/bolt/throttle"
	"signet/store/seal"
)

// sealedStore has one of every record, in a file whose bytes can be changed under it.
func sealedStore(t *testing.T, seals *seal.Keys) (s *Store, records []store.Record) {
	path := filepath.Join(t.TempDir(), "signet.db")
	must(t, Import(t.Context(), path, seals, moveManifest, stream(moveRecords(), nil)))
	s = mustOpenSealed(t, path, seals)
	must(t, s.KeepEvent(t.Context(), &store.Event{At: moveDay, Type: store.EventLogin}))
	must(t, s.Flush(t.Context(), moveDay))
	return s, exported(t, s)
}

// raw is what lies under every key of a bucket.
func raw(t *testing.T, s *Store, bucket *layout.Bucket) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	must(t, s.db.File.DB.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket.String())).ForEach(func(key, value []byte) error {
			all[string(key)] = bytes.Clone(value)
			return nil
		})
	}))
	return all
}

func poke(t *testing.T, s *Store, bucket *layout.Bucket, key string, value []byte) {
	t.Helper()
	must(t, s.db.File.DB.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket.String())).Put([]byte(key), value) }))
}

// TestEveryRecordIsSealed: in every bucket, under every key, but what has no kind of seal.
func TestEveryRecordIsSealed(t *testing.T) {
	t.Parallel()
	s, _ := sealedStore(t, testSeals())
	_, err := s.Count(t.Context(), moveDay, store.Scope{Place: "ada", Limits: []store.Limit{{Key: "x", Free: 1, Window: time.Minute}}})
	must(t, err)
	must(t, s.db.Update(t.Context(), func(tx *layout.Tx) error {
		return throttle.NoteNetworks(tx, moveDay, store.Attempt{Scopes: []store.Scope{{Place: "ada", From: make([]byte, 8)}}})
	}))
	must(t, s.CreateUser(t.Context(), store.User{ID: store.UserID{9}, Username: "eve", Aliases: []string{"eve@example.com"}}))
	must(t, s.CreateClient(t.Context(), store.Client{ID: "informed", BackchannelLogoutURI: "https://app.example/logout"}))
	one := store.Session{ID: store.SessionID{9}, UserID: store.UserID{9}, ClientID: "informed", StartedAt: moveDay}
	_, _, err = s.StartSession(t.Context(), one, store.SessionLimits{})
	must(t, err)
	_, err = s.RevokeSession(t.Context(), one.UserID, one.ID)
	must(t, err)
	must(t, s.Flush(t.Context(), moveDay))
	for _, bucket := range layout.Buckets {
		all := raw(t, s, bucket)
		if len(all) == 0 {
			t.Errorf("bucket %s is empty: the test shows nothing", bucket)
		}
		for key, value := range all {
			if has := bucket.Kind([]byte(key)) != ""; has != seal.Sealed(value) {
				t.Errorf("%s %q: sealed %v, want %v", bucket, key, seal.Sealed(value), has)
			}
		}
	}
}

// TestFlippedBits: whichever bit of a record flips, in any bucket, no read answers a changed value, and
// each that would is ErrUnavailable, makes the server unready and is in the walk of the check.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	for _, bucket := range layout.Buckets {
		t.Run(bucket.String(), func(t *testing.T) {
			s, want := sealedStore(t, testSeals())
			reads := map[string]func() (any, error){
				"export":  func() (any, error) { return exportedOr(t, s) },
				"install": func() (any, error) { return s.Install(t.Context()) },
				"keyring": func() (any, error) {
					version, document, err := s.LoadKeyring(t.Context())
					return fmt.Sprint(version, document), err
				},
				"copied at": func() (any, error) { return s.CopiedAt(t.Context()) },
				"ada":       func() (any, error) { return s.UserByName(t.Context(), "ada") },
				"bob":       func() (any, error) { return s.User(t.Context(), store.UserID{2}) },
				"users":     func() (any, error) { return s.ListUsers(t.Context(), "", 9) },
				"client":    func() (any, error) { return s.Client(t.Context(), "web") },
				"clients":   func() (any, error) { return s.ListClients(t.Context(), "", 9) },
				"sessions": func() (any, error) {
					return s.ListSessions(t.Context(), store.UserID{1}, moveDay, store.Lifetimes{Idle: 99 * time.Hour, Absolute: 99 * time.Hour})
				},
				"token": func() (any, error) {
					return s.TokenState(t.Context(), store.TokenRef{JTI: "jti", UserID: store.UserID{1}, SessionID: store.SessionID{1}})
				},
				"events": func() (any, error) { return s.Events(t.Context(), store.EventQuery{}) },
			}
			good := map[string]any{}
			for name, read := range reads {
				value, err := read()
				must(t, err)
				good[name] = value
			}
			flips, refused := 0, 0
			for key, value := range raw(t, s, bucket) {
				if bucket.Kind([]byte(key)) == "" {
					continue
				}
				for i := range value {
					if i%3 != 0 && i < len(value)-seal.Overhead { // some, to be quick
						continue
					}
					spoilt := bytes.Clone(value)
					spoilt[i] ^= 1 << (i % 8)
					poke(t, s, bucket, key, spoilt)
					flips++
					found := false
					for name, read := range reads {
						got, err := read()
						switch {
						case errors.Is(err, store.ErrUnavailable):
							found = true
						case err != nil || !reflect.DeepEqual(got, good[name]):
							t.Errorf("%q, byte %d: %s: got %+v, %v, want %+v or ErrUnavailable", key, i, name, got, err, good[name])
						}
					}
					if s.db.View(t.Context(), func(tx *layout.Tx) error { return checkRecords(tx, s.db.File.Path) }) == nil {
						t.Errorf("%q, byte %d: the check finds nothing", key, i)
					}
					if found {
						refused++
					}
				}
				poke(t, s, bucket, key, value)
			}
			if flips > 0 && bucket != layout.Throttle && bucket != layout.Outbox { // no read is of these
				if refused == 0 || !s.Stats().Damaged || !errors.Is(s.Ping(t.Context()), store.ErrUnavailable) {
					t.Errorf("%d flips, %d refused; damaged %v, Ping %v", flips, refused, s.Stats().Damaged, s.Ping(t.Context()))
				}
			}
			t.Logf("%d flips", flips)
			if got := exported(t, s); !reflect.DeepEqual(got, want) {
				t.Errorf("after all is put back: got %+v", got)
			}
		})
	}
}

func exportedOr(t *testing.T, s *Store) (records []store.Record, err error) {
	err = s.Export(t.Context(), func(r store.Record) error {
		records = append(records, r)
		return nil
	})
	return records, err
}

// TestMovedRecords: a record in another one's place is as good as forged, also where both are of one kind.
func TestMovedRecords(t *testing.T) {
	t.Parallel()
	s, _ := sealedStore(t, testSeals())
	users, names := raw(t, s, layout.Users), raw(t, s, layout.Usernames)
	ada, bob := store.UserID{1}, store.UserID{2}
	poke(t, s, layout.Users, string(ada[:]), users[string(bob[:])])
	poke(t, s, layout.Usernames, "ada", names["bob"])
	if u, err := s.User(t.Context(), ada); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, seal.ErrForged) {
		t.Errorf("ada's record is bob's: got %+v, %v, want ErrForged", u, err)
	}
	if u, err := s.UserByName(t.Context(), "ada"); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, seal.ErrForged) {
		t.Errorf("ada's name leads to bob: got %+v, %v, want ErrForged", u, err)
	}
	_, _, err := s.StartSession(t.Context(), store.Session{ID: store.SessionID{9}, UserID: ada, ClientID: "web", StartedAt: moveDay}, store.SessionLimits{})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a login as ada: got %v, want ErrUnavailable", err)
	}
}
