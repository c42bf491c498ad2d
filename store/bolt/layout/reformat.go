package layout

import (
	"bytes"
	"encoding/json"
	"fmt"

	"signet/store"
	"signet/store/codec"
)

// Reseal writes what lies under the key anew, in the format and with the seal of this transaction.
func Reseal(tx *Tx, b *Bucket, key, sealed []byte) error {
	record, err := tx.Open(b, key, sealed)
	if err != nil {
		return err
	}
	record, err = reformat(b, key, bytes.Clone(record), tx.Format)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", b, err)
	}
	return tx.Put(b, key, record)
}

// reformat writes a record in a format, where formats differ.
func reformat(b *Bucket, key, record []byte, format int) ([]byte, error) {
	switch b {
	case Users:
		u, err := codec.DecodeUser(record)
		return codec.EncodeUser(u, format), err
	case Sessions:
		session, err := DecodeSession(key, record, "")
		return codec.EncodeSession(session, format), err
	case Clients:
		c, err := codec.DecodeClient(record)
		if err != nil {
			return nil, err
		}
		return codec.EncodeClient(c, format)
	case Meta:
		if !bytes.Equal(key, keyInstall) {
			return record, nil
		}
		var in store.Install
		if err := json.Unmarshal(record, &in); err != nil {
			return nil, err
		}
		in.Schema = max(in.Schema, format)
		return encodeInstall(in)
	}
	return record, nil
}
