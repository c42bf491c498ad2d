// Package seal puts a MAC behind records, so that a record that was forged, moved to another place or
// damaged is noticed whenever it is read.
//
// Who can write to a store could otherwise exchange two users' password hashes, give a client every right
// or take a heartbeat's place. With a MAC they can delete records and put old ones back, and no more.
//
// A sealed record is
//
//	record ‖ MAC 16 ‖ tag 2 ‖ mark 2
//
// The MAC is HMAC-SHA-256, cut to 16 bytes, of the length of the record's key in the store, that key and
// the record, under a key that is derived from the master key for this kind of record (HKDF, RFC 5869). So
// a record is good in one place only. The tag names the master key, since two can be live. The mark tells
// a sealed record from one that was written before there were seals; no record ends with it otherwise. The trailer
// is behind the record because Redis scripts read the heads of records, which they carry whole.
//
// Revisions are part of the records.
package seal
