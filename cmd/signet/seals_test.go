package main

import (
	"context"
	"fmt"
	"sync"

	"signet/keys"
	"signet/store"
)

// testMaster is the master key of installs that tests make up, testSeals are its seals.
var (
	testMaster  = keys.NewMasterKey()
	testSeals   = newSeals([]keys.MasterKey{testMaster})
	testEnviron = []string{masterKeyVariable + "=" + testMaster.Encode()}
)

// testFoundation is an install with a keyring that testMaster opens.
var testFoundation = sync.OnceValue(func() store.Foundation {
	hand := &keyringInHand{}
	err := keys.Init(context.Background(), keys.Config{Storage: hand, InstallID: "install", Master: []keys.MasterKey{testMaster}, Sealed: true})
	if err != nil {
		panic(fmt.Sprint("making a keyring: ", err))
	}
	return store.Foundation{Install: store.Install{ID: "install", Schema: 2, CreatedAt: archiveDay}, KeyringVersion: hand.version, Keyring: hand.document}
})
