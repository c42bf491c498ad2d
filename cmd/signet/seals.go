package main

import (
	"context"
	"errors"
	"fmt"

	"signet/cmd/signet/internal/cli"
	"signet/config"
	"signet/keys"
	"signet/keys/masterkey"
	"signet/store"
	"signet/store/seal"
)

// newSeals are the seals of the records under these master keys.
func newSeals(master []masterkey.Key) *seal.Keys {
	if len(master) == 0 {
		return nil
	}
	return seal.New(master)
}

// sealedFoundation is the foundation of a store into which every record is written with a seal.
func (o opener) sealedFoundation(f store.Foundation) (store.Foundation, error) {
	if err := goBy(o.seals, o.master, f); err != nil {
		return f, err
	}
	var err error
	f.KeyringVersion, f.Keyring, err = keys.WithRecords(f.Install.ID, o.master, f.KeyringVersion, f.Keyring, keys.Records{Sealed: true})
	return f, err
}

// goBy has the seals follow a foundation: which master key seals, and whether every record must have a seal.
func goBy(seals *seal.Keys, master []masterkey.Key, f store.Foundation) error {
	look, err := keys.LookInto(f.Install.ID, master, f.KeyringVersion, f.Keyring)
	if err != nil {
		return fmt.Errorf("master key: it is not the one of this install (%w)", err)
	}
	seals.Use(func() int { return look.Master })
	if look.Records.Sealed {
		seals.Require()
	}
	return nil
}

// explainSeal names the master key where a record has the seal of another one: more often the key is the
// wrong one than the record.
func explainSeal(err error) error {
	if otherMaster(err) {
		return fmt.Errorf("master key: it is not the one this store was made with (%w); put the right one back, nothing was changed", err)
	}
	return fmt.Errorf("store: %w", err)
}

// otherMaster reports whether a record has the seal of a master key that is not here.
func otherMaster(err error) bool {
	var forged *seal.Error
	return errors.As(err, &forged) && forged.Unknown
}

// unsealedWarning is what a start and the doctor say of a store whose records need not have seals.
const unsealedWarning = "the records have no seals that must be there: whoever can write to the store can exchange passwords and give rights; " +
	"run `signet store seal` once all servers have this version"

// withMaster returns o with the seals of the configuration's master keys.
func withMaster(app *cli.App, o opener, cfg config.Config) (opener, error) {
	master, err := readMasterKeys(cfg.MasterKeyFile, app.Getenv)
	if err != nil {
		return o, err
	}
	o.master, o.seals = master, newSeals(master)
	return o, nil
}

// opener opens stores to look at them.
func (d *doctor) opener(master []masterkey.Key) opener {
	return opener{getenv: d.app.Getenv, master: master, seals: newSeals(master)}
}

// recoverRecords notes in the keyring that every restored record has a seal, and forgets the floors of the
// records that were replaced.
func (r *restoration) recoverRecords(ctx context.Context, ring *keys.Manager) error {
	if t, onRedis := r.target.(*redisTarget); !onRedis || t.live == nil {
		if err := ring.SealRecords(ctx); err != nil {
			return fmt.Errorf("keyring: %w", err)
		}
	}
	if err := ring.ReplaceFloors(ctx, nil); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// examineSeals notes whether records must have seals, and has them verified from here on.
func (d *doctor) examineSeals(m *keys.Manager, o opener) (readable bool) {
	o.seals.Use(m.MasterKeyInUse)
	if !m.Records().Sealed {
		d.note("seals", stateWarning, unsealedWarning)
		return true
	}
	o.seals.Require()
	d.note("seals", stateOK, "every record must have one")
	return true
}
