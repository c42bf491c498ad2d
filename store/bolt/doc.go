// Package bolt keeps everything in one file, for one process: the embedded default.
//
// # Promises
//
// Beyond what package store asks of every backend:
//
//   - Group commit. Writers that arrive while a transaction is being synced share the next one,
//     and its fsync. A lone writer is never made to wait for company. Nothing is acknowledged
//     before the file is synced, and a request that fails does not fail its neighbours.
//   - A failed commit (disk full, file limit, I/O error) gives everyone in it ErrUnavailable with
//     the cause. The next write simply tries again, so the store recovers when there is space.
//   - One process. The file is locked; a second Open answers ErrLocked at once.
//   - A missing, empty, truncated or damaged file is an error that says so. Only Options.Create
//     makes a new file, and only where there is none: a lost disk must not become a new issuer.
//   - Throttle counts and audit events are written behind, within a second; heartbeats never. The event
//     of a change is in the outbox from the commit of the change until then.
//
// # Layout
//
// Top-level buckets and their keys. Integers are big-endian, times are Unix milliseconds.
//
//	meta       "schema" → uint64; "install" → JSON; "probe" → time of the last write probe;
//	           "client epoch" → uint32, the least epoch of new clients, above that of any client that was deleted;
//	           "loss" → when writes were lost last; "copied" → time of the last Flush, which goes before a backup
//	clients    client id → JSON
//	users      user id (16) → see codec.EncodeUser
//	usernames  username → user id (16)
//	sessions   user id (16) ‖ session id (16) → see codec.EncodeSession
//	keyring    "current" → version uint64 ‖ sealed document
//	revoked    jti → the time until which it matters
//	assertions id of a client assertion that was used (16) → the time until which it is good by itself
//	audit      sequence number uint64 → JSON
//	outbox     name → time of the commit ‖ JSON of the event of a change that was committed with it, until it is in audit
//	throttle   place/key → see encodeTally
//	networks   place → networks that logins have succeeded from, see encodeNetworks
//
// Whether a session is over is asked by the lifetimes of the moment: one that was over under a shorter
// absolute lifetime, and was neither presented nor swept meanwhile, is alive under a longer one.
//
// The sessions of one user are one range, so that listing, capping and revoking them is one short
// walk. Records are encoded by package codec.
//
// # Choices
//
// bbolt's own Batch delays every writer and re-runs failed requests alone; commit.go does neither.
package bolt
