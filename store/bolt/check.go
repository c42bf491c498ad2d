package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/codec"
)

// checkRecords reads every record.
func checkRecords(tx snapshot, path string) error {
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return file.Damaged(path, fmt.Sprintf("it has no bucket %q", name))
		}
	}
	if _, err := checkSchema(tx.Tx, path); err != nil {
		return err
	}
	for _, name := range slices.Concat(buckets, laterBuckets) {
		if tx.Bucket(name) == nil {
			continue // of laterBuckets
		}
		if err := checkBucket(tx, name); err != nil {
			return &file.DamagedError{Path: path, How: err}
		}
	}
	return nil
}

func checkBucket(tx snapshot, name []byte) error {
	var last []byte
	c := tx.Bucket(name).Cursor()
	for key, value := c.First(); key != nil; key, value = c.Next() {
		if last != nil && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("the keys of bucket %q are out of order", name)
		}
		last = key
		if err := checkRecord(tx, name, key, value); err != nil {
			return fmt.Errorf("bucket %q: %w", name, err)
		}
	}
	return nil
}

// checkRecord opens a record and looks into it.
func checkRecord(tx snapshot, bucket, key, sealed []byte) error {
	value, err := tx.opened(bucket, key, sealed)
	if err != nil {
		return err
	}
	if check := recordChecks[string(bucket)]; check != nil {
		return check(tx, key, value)
	}
	return nil
}

// recordChecks says for each bucket what makes a record good.
var recordChecks = map[string]func(tx snapshot, key, value []byte) error{
	"clients":   checkClient,
	"users":     checkUser,
	"usernames": checkUsername,
	"sessions":  checkSession,
	"revoked":   func(_ snapshot, _, value []byte) error { return size(value, 8) },
	"assertions": func(_ snapshot, key, value []byte) error {
		return errors.Join(size(key, len(store.AssertionID{})), size(value, 8))
	},
	"keyring":  func(_ snapshot, _, value []byte) error { return size(value[:min(len(value), 8)], 8) },
	"audit":    checkEvent,
	"outbox":   func(_ snapshot, _, value []byte) error { _, _, err := decodeEntry(value); return err },
	"throttle": func(_ snapshot, _, value []byte) error { _, err := decodeTally(value); return err },
	"networks": func(_ snapshot, _, value []byte) error { _, err := decodeNetworks(value); return err },
}

func size(value []byte, n int) error {
	if len(value) != n {
		return codec.ErrMalformed
	}
	return nil
}

func checkClient(_ snapshot, key, value []byte) error {
	c, err := codec.DecodeClient(value)
	if err == nil && c.ID != string(key) {
		err = fmt.Errorf("client %q is filed as %q", c.ID, key)
	}
	return err
}

func checkUser(tx snapshot, key, value []byte) error {
	u, err := codec.DecodeUser(value)
	if err != nil {
		return err
	}
	if !bytes.Equal(u.ID[:], key) || !leadsTo(tx, u.Username, key) {
		return fmt.Errorf("user %s is not filed under its id and name", u.ID)
	}
	return nil
}

func leadsTo(tx snapshot, username string, id []byte) bool {
	holder, err := tx.record(bucketUsernames, []byte(username))
	return err == nil && bytes.Equal(holder, id)
}

func checkUsername(tx snapshot, _, value []byte) error {
	if tx.Bucket(bucketUsers).Get(value) == nil {
		return errors.New("a name leads to no user")
	}
	return nil
}

func checkSession(_ snapshot, key, value []byte) error {
	_, err := decodeSession(key, value, "")
	return err
}

func checkEvent(_ snapshot, key, value []byte) error {
	var e store.Event
	if err := json.Unmarshal(value, &e); err != nil {
		return err
	}
	return size(key, binary.Size(e.Seq))
}
