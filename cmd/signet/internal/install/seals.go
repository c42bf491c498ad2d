package install

import (
	"errors"
	"fmt"

	"signet/cmd/signet/internal/cli"
	"signet/config"
	"signet/keys"
	"signet/keys/masterkey"
	"signet/store"
	"signet/store/seal"
)

// NewSeals are the seals of the records under these master keys.
func NewSeals(master []masterkey.Key) *seal.Keys {
	if len(master) == 0 {
		return nil
	}
	return seal.New(master)
}

// SealedFoundation is the foundation of a store into which every record is written with a seal.
func (o Opener) SealedFoundation(f store.Foundation) (store.Foundation, error) {
	if err := FollowKeyring(o.Seals, o.Master, f); err != nil {
		return f, err
	}
	var err error
	f.KeyringVersion, f.Keyring, err = keys.WithRecords(f.Install.ID, o.Master, f.KeyringVersion, f.Keyring, keys.Records{Sealed: true})
	return f, err
}

// FollowKeyring has the seals follow a foundation: which master key seals, and whether every record must have a seal.
func FollowKeyring(seals *seal.Keys, master []masterkey.Key, f store.Foundation) error {
	look, err := keys.ReadContents(f.Install.ID, master, f.KeyringVersion, f.Keyring)
	if err != nil {
		return fmt.Errorf("master key: it is not the one of this install (%w)", err)
	}
	seals.Use(func() int { return look.Master })
	if look.Records.Sealed {
		seals.Require()
	}
	return nil
}

// ExplainSeal names the master key where a record has the seal of another one: more often the key is the
// wrong one than the record.
func ExplainSeal(err error) error {
	if OtherMaster(err) {
		return fmt.Errorf("master key: it is not the one this store was made with (%w); put the right one back, nothing was changed", err)
	}
	return fmt.Errorf("store: %w", err)
}

// OtherMaster reports whether a record has the seal of a master key that is not here.
func OtherMaster(err error) bool {
	var forged *seal.Error
	return errors.As(err, &forged) && forged.Unknown
}

// UnsealedWarning is what a start and the doctor say of a store whose records need not have seals.
const UnsealedWarning = "the records have no seals that must be there: whoever can write to the store can exchange passwords and give rights; " +
	"run `signet store seal` once all servers have this version"

// WithMaster returns o with the seals of the configuration's master keys.
func WithMaster(app *cli.App, o Opener, cfg config.Config) (Opener, error) {
	master, err := ReadMasterKeys(cfg.MasterKeyFile, app.Getenv)
	if err != nil {
		return o, err
	}
	o.Master, o.Seals = master, NewSeals(master)
	return o, nil
}
