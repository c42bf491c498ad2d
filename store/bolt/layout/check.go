package layout

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"signet/store"
	"signet/store/codec"
)

// Check checks the records of all buckets, a span in each snapshot that view gives it, and returns their number.
func Check(view func(func(tx *Tx) error) error) (n int, err error) {
	for _, b := range Buckets {
		for from, more := []byte(nil), true; more; more = from != nil {
			err := view(func(tx *Tx) (err error) {
				var read int
				read, from, err = checkSpan(tx, b, from)
				n += read
				return err
			})
			if err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// checkSpan checks up to SpanSize records, beginning at a key, and returns their number and the key to go on at; nil: the
// bucket has no more.
func checkSpan(tx *Tx, b *Bucket, from []byte) (n int, next []byte, err error) {
	var last []byte
	next, err = tx.Span(b, from, SpanSize, func(key, sealed []byte) error {
		if last != nil && bytes.Compare(last, key) >= 0 {
			return errors.New("its keys are out of order")
		}
		last = key
		n++
		return check(tx, b, key, sealed)
	})
	if err != nil {
		return n, nil, fmt.Errorf("bucket %q: %w", b, err)
	}
	return n, next, nil
}

// check opens a record and looks into it.
func check(tx *Tx, b *Bucket, key, sealed []byte) error {
	switch b {
	case Clients:
		_, err := ReadClient(tx, key, sealed)
		return err
	case Users:
		return checkUser(tx, key, sealed)
	}
	raw, err := tx.Open(b, key, sealed)
	if err != nil {
		return err
	}
	switch b {
	case Usernames:
		if tx.Raw(Users, raw) == nil {
			err = errors.New("a name leads to no user")
		}
	case Aliases:
		err = size(raw, idSize)
	case Sessions:
		_, err = DecodeSession(key, raw, "")
	case Revoked:
		err = size(raw, 8)
	case Assertions:
		err = errors.Join(size(key, len(store.AssertionID{})), size(raw, 8))
	case Codes:
		err = errors.Join(size(key, 2*idSize), size(raw, 8))
	case Logouts:
		_, err = decodeLogout(key, raw)
	case LogoutsDue:
		err = size(key, 8+logoutKeySize)
	case Keyring:
		err = size(raw[:min(len(raw), 8)], 8)
	case Audit:
		err = errors.Join(size(key, binary.Size(uint64(0))), json.Unmarshal(raw, new(store.Event)))
	case Outbox:
		_, _, err = decodeEntry(raw)
	case Throttle:
		_, err = DecodeTally(raw)
	case Networks:
		_, err = decodeNetworks(raw)
	}
	return err
}

func size(value []byte, n int) error {
	if len(value) != n {
		return codec.ErrMalformed
	}
	return nil
}

func checkUser(tx *Tx, id, sealed []byte) error {
	u, err := DecodeUser(tx, id, sealed)
	if err != nil {
		return err
	}
	holder, err := tx.Record(Usernames, []byte(u.Username))
	if err != nil || !bytes.Equal(holder, id) {
		return fmt.Errorf("user %s is not filed under its name", u.ID)
	}
	return nil
}

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
