package install

import (
	"errors"
	"fmt"

	"signet/cmd/signet/internal/cli"
	"signet/config"
	"signet/keys/document"
	"signet/keys/masterkey"
	"signet/store"
	"signet/store/seal"
)

// NewSeals returns the seals of the records for the master keys, or nil without a key.
func NewSeals(master []masterkey.Key) *seal.Keys {
	if len(master) == 0 {
		return nil
	}
	return seal.New(master)
}

// SealedManifest returns f for a store in which every record has a seal.
func (o Opener) SealedManifest(f store.Manifest) (store.Manifest, error) {
	if err := BindSeals(o.Seals, o.Master, f); err != nil {
		return f, err
	}
	var err error
	f.KeyringVersion, f.Keyring, err = document.WithRecords(f.Install.ID, o.Master, f.KeyringVersion, f.Keyring, document.Records{Sealed: true})
	return f, err
}

// BindSeals sets by a manifest which master key seals, and whether every record must have a seal.
func BindSeals(seals *seal.Keys, master []masterkey.Key, f store.Manifest) error {
	look, err := document.ReadContents(f.Install.ID, master, f.KeyringVersion, f.Keyring)
	if err != nil {
		return fmt.Errorf("master key: it is not the one of this install (%w)", err)
	}
	seals.Use(func() int { return look.Master })
	if look.Records.Sealed {
		seals.Require()
	}
	return nil
}

var errOtherMaster = errors.New("master key: it is not the one this store was made with; put the right one back, nothing was changed")

// ExplainSeal names the master key if a record has the seal of another one: it is more often the key that is wrong than
// the record. The error of the record is left out, because it would blame the record.
func ExplainSeal(err error) error {
	if SealedByOther(err) {
		return errOtherMaster
	}
	return fmt.Errorf("store: %w", err)
}

// SealedByOther reports whether a record has the seal of a master key that is not configured.
func SealedByOther(err error) bool {
	var forged *seal.Error
	return errors.As(err, &forged) && forged.Unknown
}

// UnsealedWarning is the warning for a store whose records need not have seals.
const UnsealedWarning = "records without a seal are accepted: anyone who can write to the store can exchange passwords and grant rights; " +
	"run `signet store seal` once all servers have this version"

// WithMaster returns o with the master keys of the configuration and their seals.
func WithMaster(app *cli.App, o Opener, cfg config.Config) (Opener, error) {
	master, err := ReadMasterKeys(cfg.MasterKeyFile, app.Getenv)
	if err != nil {
		return o, err
	}
	o.Master, o.Seals = master, NewSeals(master)
	return o, nil
}
