package layout

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"signet/store"
	"signet/store/codec"
)

// logoutKeySize is the size of a key of Logouts.
const logoutKeySize = 8 + idSize

// logoutKey puts the logouts in the order in which the sessions ended.
func logoutKey(l store.Logout) []byte {
	return append(codec.AppendTime(make([]byte, 0, logoutKeySize), l.EndedAt), l.SessionID[:]...)
}

// dueKey puts them in the order in which they are due.
func dueKey(due time.Time, key []byte) []byte {
	return append(codec.AppendTime(make([]byte, 0, 8+logoutKeySize), due), key...)
}

func decodeLogout(key, raw []byte) (store.Logout, error) {
	if len(key) != logoutKeySize {
		return store.Logout{}, codec.ErrMalformed
	}
	l, _, err := codec.DecodeLogout(store.SessionID(key[8:]), raw)
	return l, err
}

// readLogout returns what has the key, and when it is due; found is false where there is nothing.
func readLogout(tx *Tx, key []byte) (l store.Logout, due time.Time, found bool, err error) {
	raw, err := tx.Record(Logouts, key)
	if err != nil || raw == nil {
		return l, due, false, err
	}
	l, due, err = codec.DecodeLogout(store.SessionID(key[8:]), raw)
	return l, due, err == nil, err
}

func putLogout(tx *Tx, l store.Logout, due time.Time) error {
	key := logoutKey(l)
	if err := tx.Put(Logouts, key, codec.EncodeLogout(l, due)); err != nil {
		return err
	}
	return tx.Put(LogoutsDue, dueKey(due, key), nil)
}

// queueLogout puts the logout of a session that has ended in the queue, where its client is to be informed. A client that cannot
// be read may have to be.
func queueLogout(tx *Tx, s store.Session) error {
	id := []byte(s.ClientID)
	sealed := tx.Raw(Clients, id)
	if sealed == nil {
		return nil
	}
	if c, err := ReadClient(tx, id, sealed); err == nil && c.BackchannelLogoutURI == "" {
		return nil
	}
	now := store.Millis(tx.Now)
	l := store.Logout{UserID: s.UserID, SessionID: s.ID, ClientID: s.ClientID, EndedAt: now}
	if err := putLogout(tx, l, now); err != nil {
		return err
	}
	length, dropped := logoutCounts(tx)
	for length++; length > uint64(tx.MaxLogouts); length-- {
		oldest, _ := tx.Bucket(Logouts).Cursor().First()
		if err := removeLogout(tx, bytes.Clone(oldest)); err != nil {
			return err
		}
		dropped++
	}
	return putLogoutCounts(tx, length, dropped)
}

// removeLogout deletes what has the key. Its place among the due ones goes with it, or where it is passed when the record
// cannot be read.
func removeLogout(tx *Tx, key []byte) error {
	if _, due, found, err := readLogout(tx, key); err == nil && found {
		if err := tx.Delete(LogoutsDue, dueKey(due, key)); err != nil {
			return err
		}
	}
	return tx.Delete(Logouts, key)
}

// logoutCounts returns how many logouts there are, and how many were dropped.
func logoutCounts(tx *Tx) (length, dropped uint64) {
	raw := tx.Raw(Meta, keyLogouts)
	if len(raw) != 16 {
		return 0, 0
	}
	return binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:])
}

func putLogoutCounts(tx *Tx, length, dropped uint64) error {
	return tx.Put(Meta, keyLogouts, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, length), dropped))
}

// HasDueLogout reports whether there is a logout that is due.
func HasDueLogout(tx *Tx, now time.Time) bool {
	key, _ := tx.Bucket(LogoutsDue).Cursor().First()
	return isDue(key, now)
}

// isDue reports whether a key of LogoutsDue is one that is due.
func isDue(key []byte, now time.Time) bool {
	return len(key) == 8+logoutKeySize && bytes.Compare(key[:8], codec.AppendTime(nil, now)) <= 0
}

// ClaimLogouts returns up to limit logouts that are due, and makes each due again at until. One that cannot be read is left
// out of those that are due; it is damage, which is reported where records are checked.
func ClaimLogouts(tx *Tx, now, until time.Time, limit int) (list []store.Logout, err error) {
	var due [][]byte
	c := tx.Bucket(LogoutsDue).Cursor()
	for key, _ := c.First(); isDue(key, now) && len(due) < limit; key, _ = c.Next() {
		due = append(due, bytes.Clone(key))
	}
	for _, place := range due {
		if err := tx.Delete(LogoutsDue, place); err != nil {
			return nil, err
		}
		l, _, found, err := readLogout(tx, place[8:])
		if err != nil || !found {
			continue
		}
		l.Attempts++
		if err := putLogout(tx, l, store.Millis(until)); err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// FinishLogout takes a logout out of the queue.
func FinishLogout(tx *Tx, l store.Logout) error {
	key := logoutKey(l)
	if tx.Raw(Logouts, key) == nil {
		return nil
	}
	if err := removeLogout(tx, key); err != nil {
		return err
	}
	length, dropped := logoutCounts(tx)
	return putLogoutCounts(tx, max(length, 1)-1, dropped)
}

// PostponeLogout makes a logout due at another time, where it was not claimed again since.
func PostponeLogout(tx *Tx, l store.Logout, due time.Time) error {
	key := logoutKey(l)
	was, before, found, err := readLogout(tx, key)
	switch {
	case err != nil:
		return fmt.Errorf("%w: reading a logout: %w", store.ErrUnavailable, err)
	case !found || was.Attempts != l.Attempts:
		return nil
	}
	if err := tx.Delete(LogoutsDue, dueKey(before, key)); err != nil {
		return err
	}
	return putLogout(tx, was, store.Millis(due))
}

// ReadLogoutQueue returns the state of the queue.
func ReadLogoutQueue(tx *Tx) (q store.LogoutQueue) {
	length, dropped := logoutCounts(tx)
	q.Length, q.Dropped = int(length), dropped
	if key, _ := tx.Bucket(Logouts).Cursor().First(); len(key) == logoutKeySize {
		q.Oldest = codec.NewReader(key).Time()
	}
	return q
}
