package main

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"signet/cmd/signet/internal/install/installtest"
	"signet/keys"
	"signet/keys/jose"
	"signet/keys/masterkey"
	"signet/server"
	"signet/server/password"
	"signet/server/password/hash"
	"signet/store"
	"signet/store/bolt"
)

// startAdmin runs a server without clients and users in dir, and serves its admin API on the socket
// until stop is called.
func startAdmin(dir, socket string) (stop func(), err error) {
	ctx := context.Background()
	db, err := bolt.Open(filepath.Join(dir, "signet.db"), bolt.Options{Create: true, Seals: installtest.Seals})
	if err != nil {
		return nil, err
	}
	record := store.Install{ID: rand.Text(), Schema: bolt.Schema, CreatedAt: time.Now().UTC()}
	if err := db.CreateInstall(ctx, record); err != nil {
		return nil, err
	}
	ring := keys.Config{Storage: db, InstallID: record.ID, Master: []masterkey.Key{installtest.Master}, Sealed: true, Algorithms: []string{jose.ES256}}
	if err := keys.Init(ctx, ring); err != nil {
		return nil, err
	}
	manager, err := keys.Open(ctx, ring)
	if err != nil {
		return nil, err
	}
	cheap := password.Config{Argon2: hash.Params{Memory: 64, Time: 1, Threads: 1}, Slots: 1, Queue: 16, Wait: 10 * time.Second}
	s, err := server.New(server.Config{
		Issuer: "https://auth.example.com", Version: "test", Store: db, Seals: installtest.Seals, Keys: manager,
		Passwords: password.New(cheap), RefreshKeys: [][32]byte{{1}}, ThrottleKeys: [][32]byte{{2}},
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	web := &http.Server{Handler: s.Admin()}
	done := make(chan struct{})
	go func() { defer close(done); _ = web.Serve(l) }()
	return func() {
		web.Close()
		<-done
		s.Close()
		db.Close()
	}, nil
}
