package layout

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"signet/store"
	"signet/store/codec"
)

// SeqKey is the key of an event in Audit.
func SeqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// PutEvent writes an event and its place in its class.
func PutEvent(tx *Tx, e store.Event) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding audit event %d: %w", e.Seq, err)
	}
	tx.Bucket(Audit).FillPercent = 0.95 // keys only grow
	if err := tx.Put(Audit, SeqKey(e.Seq), raw); err != nil {
		return err
	}
	return tx.Put(AuditRings, RingKey(store.ClassOf(e), e.Seq), nil)
}

// ReadEvent reads what lies under the key.
func ReadEvent(tx *Tx, key, sealed []byte) (e store.Event, err error) {
	raw, err := tx.Open(Audit, key, sealed)
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(raw, &e)
}

// RingPrefixes begin the keys of the classes in AuditRings. They are in the file: a new class needs a new one.
var RingPrefixes = map[store.EventClass]byte{store.ClassKeys: 'k', store.ClassAdmin: 'a', store.ClassSessions: 's', store.ClassOwn: 'o',
	store.ClassRefusals: 'r'}

// RingKey is the key of an event in AuditRings.
func RingKey(class store.EventClass, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{RingPrefixes[class]}, seq)
}

// DropOldest deletes the oldest events of a class, and returns how many there were, at most n.
func DropOldest(tx *Tx, class store.EventClass, n int) (dropped int, err error) {
	c := tx.Bucket(AuditRings).Cursor()
	for ; dropped < n; dropped++ {
		key, _ := c.Seek([]byte{RingPrefixes[class]})
		if len(key) != 9 || key[0] != RingPrefixes[class] {
			break
		}
		key = bytes.Clone(key)
		if err := tx.Delete(Audit, key[1:]); err != nil {
			return dropped, err
		}
		if err := tx.Delete(AuditRings, key); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// NewEntry encodes an event for Outbox; now is when it gets there.
func NewEntry(e store.Event, now time.Time) ([]byte, error) {
	e.At = store.Millis(e.At)
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding an audit event: %w", err)
	}
	return append(codec.AppendTime(nil, now), raw...), nil
}

// ReadEntry reads what lies under the name, and since when.
func ReadEntry(tx *Tx, name, sealed []byte) (since time.Time, e store.Event, err error) {
	entry, err := tx.Open(Outbox, name, sealed)
	if err != nil {
		return since, e, err
	}
	return decodeEntry(entry)
}

func decodeEntry(entry []byte) (since time.Time, e store.Event, err error) {
	r := codec.NewReader(entry)
	since = r.Time()
	if err := r.Err(); err != nil {
		return since, e, err
	}
	return since, e, json.Unmarshal(r.Rest(), &e)
}

// TakeEntry deletes an entry of Outbox, and reports false where it is not there: its event is on the trail.
func TakeEntry(tx *Tx, name string) (bool, error) {
	if tx.Raw(Outbox, []byte(name)) == nil {
		return false, nil
	}
	return true, tx.Delete(Outbox, []byte(name))
}
