package trail

import (
	"context"
	"encoding/binary"

	"signet/store"
	"signet/store/bolt/layout"
)

// indexBatch is how many events are put in their classes in one commit.
const indexBatch = 4096

// index puts in their classes what an earlier version has written without, and counts the classes.
// An earlier version may have had the file again in between: its events have higher numbers than those
// that are in a class.
func (a *Trail) index(ctx context.Context) error {
	missing, err := a.unindexed(ctx)
	for len(missing) > 0 && err == nil {
		err = a.db.Update(ctx, func(t *layout.Tx) error {
			for _, key := range missing {
				if err := t.Put(layout.AuditRings, key, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			missing, err = a.unindexed(ctx)
		}
	}
	if err != nil {
		return err
	}
	return a.db.View(ctx, func(tx *layout.Tx) error {
		kept := map[byte]int{}
		c := tx.Bucket(layout.AuditRings).Cursor()
		for key, _ := c.First(); key != nil; key, _ = c.Next() {
			kept[key[0]]++
		}
		a.kept = map[store.EventClass]int{}
		for class, prefix := range layout.RingPrefixes {
			a.kept[class] = kept[prefix]
		}
		return nil
	})
}

// unindexed returns the keys in layout.AuditRings of the next events that are in no class.
func (a *Trail) unindexed(ctx context.Context) (keys [][]byte, err error) {
	err = a.db.View(ctx, func(tx *layout.Tx) error {
		rings := tx.Bucket(layout.AuditRings).Cursor()
		var indexed uint64
		for _, prefix := range layout.RingPrefixes {
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
		c := tx.Bucket(layout.Audit).Cursor()
		for key, raw := c.Seek(layout.SeqKey(indexed + 1)); key != nil && len(keys) < indexBatch; key, raw = c.Next() {
			if len(key) != 8 {
				continue
			}
			e, err := layout.ReadEvent(tx, key, raw)
			if err != nil {
				e = store.Event{} // its readers report it; it is dropped with the refusals
			}
			keys = append(keys, layout.RingKey(store.ClassOf(e), binary.BigEndian.Uint64(key)))
		}
		return nil
	})
	return keys, err
}
