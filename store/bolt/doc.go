// Package bolt keeps everything in one file, for one process: the embedded default.
//
// # Promises
//
// Beyond what package store asks of every backend:
//
//   - Writers share commits, and nothing is acknowledged before the file is synced; see package commit.
//   - One process. The file is locked; a second Open answers ErrLocked at once.
//   - A missing, empty, truncated or damaged file is an error with the fault. Only Options.Create
//     makes a new file, and only where there is none: a lost disk must not become a new issuer.
//   - Throttle counts and audit events are written behind, within a second; heartbeats never. The event
//     of a change is in the outbox from the commit of the change until then.
//
// # Packages
//
// Arrows go down: this package has the queries for users, clients, sessions and tokens, and puts the parts together. Packages
// upkeep, trail and throttle have the walks, the audit trail and the counts; commit reads and writes the open file; layout
// has its buckets, keys and records; file opens, makes and copies files; pages reads the format of bbolt.
package bolt
