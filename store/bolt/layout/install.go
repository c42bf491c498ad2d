package layout

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"signet/store"
	"signet/store/codec"
)

// HasInstall reports whether there is an install record.
func HasInstall(tx *Tx) bool { return tx.Raw(Meta, keyInstall) != nil }

// ReadInstall returns store.ErrNotFound where there is none.
func ReadInstall(tx *Tx) (in store.Install, err error) {
	raw, err := tx.Record(Meta, keyInstall)
	if err != nil {
		return in, fmt.Errorf("%w: reading the install: %w", store.ErrUnavailable, err)
	}
	if raw == nil {
		return in, fmt.Errorf("install: %w", store.ErrNotFound)
	}
	return in, json.Unmarshal(raw, &in)
}

// PutInstall writes the install record.
func PutInstall(tx *Tx, in store.Install) error {
	raw, err := encodeInstall(in)
	if err != nil {
		return err
	}
	return tx.Put(Meta, keyInstall, raw)
}

func encodeInstall(in store.Install) ([]byte, error) {
	in.CreatedAt = store.Millis(in.CreatedAt)
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encoding the install record: %w", err)
	}
	return raw, nil
}

// RaiseFormat raises the format of the file and of the records that this transaction writes, and returns it.
func RaiseFormat(tx *Tx, format int) (int, error) {
	in, err := ReadInstall(tx)
	if err != nil {
		return 0, err
	}
	in.Schema = max(in.Schema, format)
	tx.Format = in.Schema
	if err := PutInstall(tx, in); err != nil {
		return 0, err
	}
	return in.Schema, tx.putSchema(in.Schema)
}

// ReadKeyring returns version 0 where there is none. The document is the file's: clone it.
func ReadKeyring(tx *Tx) (version uint64, document []byte, err error) {
	raw := tx.Raw(Keyring, keyCurrent)
	switch {
	case raw == nil:
		return 0, nil, nil
	case len(raw) < 8:
		return 0, nil, fmt.Errorf("%w: reading the keyring: %w", store.ErrUnavailable, codec.ErrMalformed)
	default:
		return binary.BigEndian.Uint64(raw), raw[8:], nil
	}
}

// PutKeyring writes the document with its version.
func PutKeyring(tx *Tx, version uint64, document []byte) error {
	return tx.Put(Keyring, keyCurrent, append(binary.BigEndian.AppendUint64(nil, version), document...))
}

// ReadLoss returns the last loss. A bolt file loses nothing by itself: a restore writes it.
func ReadLoss(tx *Tx) (store.Loss, error) {
	at, err := ReadTime(tx, Meta, keyLoss, tx.Raw(Meta, keyLoss))
	if err != nil {
		return store.Loss{}, fmt.Errorf("%w: reading the last loss: %w", store.ErrUnavailable, err)
	}
	return store.Loss{At: at}, nil
}

// PutLoss keeps the later of two.
func PutLoss(tx *Tx, l store.Loss) error {
	before, err := ReadLoss(tx)
	if err != nil || !l.At.After(before.At) {
		return err
	}
	return PutTime(tx, Meta, keyLoss, l.At)
}
