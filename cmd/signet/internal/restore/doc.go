// Package restore puts a backup in the place of a store, and keeps revoked what was revoked since the backup.
//
// It has four steps. Read the backup and check all of it. Read what has happened since, from the store that is
// replaced, from a copy of it, from signed log lines, and from the mark of the keyring. Make the keyring usable: keys
// that were revoked stay revoked, and the next key signs. Write the records, with the changes that take rights away.
// What survives a restore is decided in package store/recovery; this package reads and writes.
//
// Everything is read before anything is changed, and the old store stays beside the new one.
package restore
