package layout

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/codec"
)

// ValidClient returns an error for a client that cannot be stored.
func ValidClient(c store.Client) error {
	if c.ID == "" || len(c.ID) > bbolt.MaxKeySize {
		return fmt.Errorf("the client id has %d bytes", len(c.ID))
	}
	return nil
}

// ReadClient reads what lies under the id.
func ReadClient(tx *Tx, id, sealed []byte) (store.Client, error) {
	raw, err := tx.Open(Clients, id, sealed)
	if err != nil {
		return store.Client{}, fmt.Errorf("%w: reading client %q: %w", store.ErrUnavailable, id, err)
	}
	c, err := codec.DecodeClient(raw)
	if err == nil && c.ID != string(id) {
		err = fmt.Errorf("%w: client %q is filed as %q: %w", store.ErrUnavailable, c.ID, id, codec.ErrMalformed)
	}
	return c, err
}

// LeastClientEpoch returns the epoch at which new clients begin.
func LeastClientEpoch(tx *Tx) (uint32, error) {
	raw, err := tx.Record(Meta, keyEpoch)
	if err != nil {
		return 0, fmt.Errorf("%w: reading the least epoch of clients: %w", store.ErrUnavailable, err)
	}
	if len(raw) != 4 {
		return 0, nil
	}
	return binary.BigEndian.Uint32(raw), nil
}

// RaiseClientEpoch has new clients begin at that epoch or later.
func RaiseClientEpoch(tx *Tx, epoch uint32) error {
	least, err := LeastClientEpoch(tx)
	if err != nil || epoch <= least {
		return err
	}
	return tx.Put(Meta, keyEpoch, binary.BigEndian.AppendUint32(nil, epoch))
}

// ValidJTI returns an error for a token id that cannot be stored.
func ValidJTI(jti string) error {
	if jti == "" || len(jti) > bbolt.MaxKeySize {
		return fmt.Errorf("its jti has %d bytes", len(jti))
	}
	return nil
}
