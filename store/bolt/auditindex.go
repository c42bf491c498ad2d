package bolt

import (
	"context"
	"encoding/binary"

	"signet/store"
)

// indexBatch is how many events are put in their classes in one commit.
const indexBatch = 4096

// indexEvents puts in their classes what an earlier version has written without, and counts the classes.
// An earlier version may have had the file again in between: its events have higher numbers than those
// that are in a class.
func (s *Store) indexEvents() error {
	for more := true; more; {
		missing, err := s.unindexed()
		if err != nil {
			return err
		}
		if more = len(missing) > 0; !more {
			break
		}
		err = s.update(context.Background(), func(t *txn) error {
			for _, key := range missing {
				if err := t.put(bucketAuditRings, key, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.view(func(tx snapshot) error {
		kept := map[byte]int{}
		c := tx.Bucket(bucketAuditRings).Cursor()
		for key, _ := c.First(); key != nil; key, _ = c.Next() {
			kept[key[0]]++
		}
		s.audit.kept = map[store.EventClass]int{}
		for class, prefix := range ringPrefixes {
			s.audit.kept[class] = kept[prefix]
		}
		return nil
	})
}

// unindexed returns the keys in bucketAuditRings of the next events that are in no class.
func (s *Store) unindexed() (keys [][]byte, err error) {
	err = s.view(func(tx snapshot) error {
		rings := tx.Bucket(bucketAuditRings).Cursor()
		var indexed uint64
		for _, prefix := range ringPrefixes {
			key, _ := rings.Seek([]byte{prefix + 1})
			if key == nil {
				key, _ = rings.Last()
			} else {
				key, _ = rings.Prev()
			}
			if len(key) == 9 && key[0] == prefix {
				indexed = max(indexed, binary.BigEndian.Uint64(key[1:]))
			}
		}
		c := tx.Bucket(bucketAudit).Cursor()
		for key, raw := c.Seek(seqKey(indexed + 1)); key != nil && len(keys) < indexBatch; key, raw = c.Next() {
			if len(key) != 8 {
				continue
			}
			e, err := readEvent(tx, key, raw)
			if err != nil {
				e = store.Event{} // whoever reads it reports it; it leaves with the refusals
			}
			keys = append(keys, ringKey(store.ClassOf(e), binary.BigEndian.Uint64(key)))
		}
		return nil
	})
	return keys, err
}
