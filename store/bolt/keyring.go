package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"signet/store"
	"signet/store/codec"
)

// Install implements store.Installs.
func (s *Store) Install(ctx context.Context) (in store.Install, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		in, err = readInstall(tx)
		return err
	})
	return in, err
}

func readInstall(tx reader) (in store.Install, err error) {
	raw, err := tx.record(bucketMeta, keyInstall)
	if err != nil {
		return in, fmt.Errorf("%w: reading the install: %w", store.ErrUnavailable, err)
	}
	if raw == nil {
		return in, fmt.Errorf("install: %w", store.ErrNotFound)
	}
	return in, json.Unmarshal(raw, &in)
}

// CreateInstall implements store.Installs.
func (s *Store) CreateInstall(ctx context.Context, in store.Install) error {
	raw, err := encodeInstall(in)
	if err != nil {
		return err
	}
	return s.update(ctx, func(t *txn) error {
		if t.get(bucketMeta, keyInstall) != nil {
			return fmt.Errorf("install: %w", store.ErrExists)
		}
		return t.put(bucketMeta, keyInstall, raw)
	})
}

func encodeInstall(in store.Install) ([]byte, error) {
	in.CreatedAt = store.Millis(in.CreatedAt)
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encoding the install record: %w", err)
	}
	return raw, nil
}

// LoadKeyring implements store.Keyrings.
func (s *Store) LoadKeyring(ctx context.Context) (version uint64, document []byte, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		version, document, err = readKeyring(tx)
		document = bytes.Clone(document)
		return err
	})
	return version, document, err
}

// SwapKeyring implements store.Keyrings.
func (s *Store) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (swapped bool, err error) {
	if next <= old {
		return false, fmt.Errorf("swapping the keyring: version %d does not follow %d", next, old)
	}
	record := encodeKeyring(next, document)
	swapped, err = ask(ctx, s, func(t *txn) (bool, error) {
		current, _, err := readKeyring(t)
		if err != nil || current != old {
			return false, err
		}
		return true, t.put(bucketKeyring, keyCurrent, record)
	})
	if err != nil {
		return false, fmt.Errorf("swapping the keyring: %w", err)
	}
	return swapped, nil
}

func encodeKeyring(version uint64, document []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, version), document...)
}

func readKeyring(tx reader) (version uint64, document []byte, err error) {
	raw := tx.Bucket(bucketKeyring).Get(keyCurrent)
	switch {
	case raw == nil:
		return 0, nil, nil
	case len(raw) < 8:
		return 0, nil, fmt.Errorf("%w: reading the keyring: %w", store.ErrUnavailable, codec.ErrMalformed)
	default:
		return binary.BigEndian.Uint64(raw), raw[8:], nil
	}
}
