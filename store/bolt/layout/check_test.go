package layout

import (
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/codec"
)

// FuzzCheck: whatever lies under a key of a bucket is a good record or an error, never a panic.
func FuzzCheck(f *testing.F) {
	path := filepath.Join(f.TempDir(), "signet.db")
	if err := Initialise(path); err != nil {
		f.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	session := SessionKey(store.UserID{1}, store.SessionID{2})
	for i, b := range Buckets {
		f.Add(byte(i), session, []byte(nil))
		f.Add(byte(i), session[:8], make([]byte, 8))
		f.Add(byte(i), []byte("web"), []byte(`{"client_id":"web"}`))
		f.Add(byte(i), session, codec.EncodeSession(store.Session{ClientID: "web"}, Schema))
		f.Add(byte(i), session[:16], codec.EncodeUser(store.User{ID: store.UserID{1}, Username: b.String()}, Schema))
		f.Add(byte(i), []byte("x"), EncodeTally(store.Tally{Failures: 1, Same: []byte("x")}))
	}
	f.Fuzz(func(t *testing.T, which byte, key, value []byte) {
		b := Buckets[int(which)%len(Buckets)]
		_ = db.View(func(tx *bbolt.Tx) error { return check(&Tx{Tx: tx}, b, key, value) })
	})
}
