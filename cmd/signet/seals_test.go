package main

import (
	"context"
	"fmt"
	"sync"

	"signet/cmd/signet/internal/install"
	"signet/keys"
	"signet/keys/masterkey"
	"signet/store"
)

// testMaster is the master key of installs that tests make up, testSeals are its seals.
var (
	testMaster  = masterkey.New()
	testSeals   = install.NewSeals([]masterkey.Key{testMaster})
	testEnviron = []string{install.MasterKeyVariable + "=" + testMaster.Encode()}
)

// testFoundation is an install with a keyring that testMaster opens.
var testFoundation = sync.OnceValue(func() store.Foundation {
	hand := &keyringInHand{}
	err := keys.Init(context.Background(), keys.Config{Storage: hand, InstallID: "install", Master: []masterkey.Key{testMaster}, Sealed: true})
	if err != nil {
		panic(fmt.Sprint("making a keyring: ", err))
	}
	return store.Foundation{Install: store.Install{ID: "install", Schema: 2, CreatedAt: archiveDay}, KeyringVersion: hand.version, Keyring: hand.document}
})
