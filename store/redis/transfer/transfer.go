// Package transfer moves all records of a store in Redis: it exports and imports them, puts back those of a backup, and seals
// them anew.
package transfer

import (
	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/record"
	"signet/store/redis/replica"
	"signet/store/redis/trail"
)

// Transfer is a store.Exporter and a store.Importer.
type Transfer struct {
	conn    *conn.Conn
	key     layout.Keyspace
	codec   *layout.Codec
	channel *replica.Channel
	trail   *trail.Trail
	queries *record.Queries
}

// New returns the transfer of a store.
func New(d record.Deps, queries *record.Queries) *Transfer {
	return &Transfer{d.Conn, d.Key, d.Codec, d.Channel, d.Trail, queries}
}

var (
	_ store.Exporter = (*Transfer)(nil)
	_ store.Importer = (*Transfer)(nil)
)
