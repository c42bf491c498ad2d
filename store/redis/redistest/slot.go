package redistest

import (
	"fmt"
	"strings"
)

// KeySlot returns the cluster slot of a key: CRC16 of it, or of what is between the first braces if
// that is something.
func KeySlot(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	var crc uint16 // XMODEM: polynomial 0x1021, nothing reflected, from zero
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slots
}

// MigrateSlot moves a slot from one master to another as redis-cli does, key by key. When about half
// of the keys have moved it calls between: from then answers ASK for a key that has moved or does
// not exist, and TRYAGAIN for several that are not all in one place. between may be nil.
func (c *Cluster) MigrateSlot(slot int, from, to *Server, between func()) {
	c.t.Helper()
	c.migrate(slot, from, to, func() {
		total := int(from.Do("cluster", "countkeysinslot", slot).(int64))
		for moved := 0; moved < total/2; {
			moved += c.moveKeys(slot, from, to, min(10, total/2-moved))
		}
		if between != nil {
			between()
		}
	})
}

// MigrateKeysFirst is MigrateSlot, but calls between when just these keys have moved.
func (c *Cluster) MigrateKeysFirst(slot int, from, to *Server, between func(), keys ...string) {
	c.t.Helper()
	c.migrate(slot, from, to, func() {
		for _, key := range keys {
			c.move(from, to, key)
		}
		between()
	})
}

// migrate calls begin when the slot is open on both sides, then moves what is left and closes it.
func (c *Cluster) migrate(slot int, from, to *Server, begin func()) {
	c.t.Helper()
	to.Do("cluster", "setslot", slot, "importing", nodeID(from))
	from.Do("cluster", "setslot", slot, "migrating", nodeID(to))
	begin()
	for c.moveKeys(slot, from, to, 10) > 0 {
		continue
	}

	// First the new owner, then the old one, so that the slot is served at all times.
	c.assign(slot, to, to)
	c.assign(slot, to, from)
	for _, node := range c.Nodes {
		if node != from && node != to && node.responsive() && replication(node)["role"] == "master" {
			c.assign(slot, to, node)
		}
	}
	Wait(c.t, fmt.Sprintf("all nodes to see that slot %d has moved", slot), func() error { return c.allKnow(slot, to) })
}

func (c *Cluster) assign(slot int, owner, node *Server) {
	c.t.Helper()
	node.Do("cluster", "setslot", slot, "node", nodeID(owner))
}

// moveKeys moves up to n keys and returns how many.
func (c *Cluster) moveKeys(slot int, from, to *Server, n int) int {
	c.t.Helper()
	keys := from.Do("cluster", "getkeysinslot", slot, n).([]any)
	if len(keys) == 0 {
		return 0
	}
	c.move(from, to, keys...)
	return len(keys)
}

func (c *Cluster) move(from, to *Server, keys ...any) {
	c.t.Helper()
	const timeout = 10_000 // ms
	from.Do(append([]any{"migrate", "127.0.0.1", to.port, "", 0, timeout, "keys"}, keys...)...)
}
