// Package installtest has an install for tests: a master key, the seals of its records, and the manifest of a store.
package installtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"signet/cmd/signet/internal/install"
	"signet/keys"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/store"
)

// Master is the master key of the install, Seals are the seals of its records, and Environ has the key for commands.
var (
	Master  = masterkey.New()
	Seals   = install.NewSeals([]masterkey.Key{Master})
	Environ = []string{install.MasterKeyVariable + "=" + Master.Encode()}
)

// Day is when the install was made.
var Day = time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)

// Manifest is an install with a keyring that Master opens.
var Manifest = sync.OnceValue(func() store.Manifest {
	ring := &keystest.Storage{}
	err := keys.Init(context.Background(), keys.Config{Storage: ring, InstallID: "install", Master: []masterkey.Key{Master}, Sealed: true})
	if err != nil {
		panic(fmt.Sprint("making a keyring: ", err))
	}
	return store.Manifest{Install: store.Install{ID: "install", Schema: 2, CreatedAt: Day}, KeyringVersion: ring.Version, Keyring: ring.Document}
})
