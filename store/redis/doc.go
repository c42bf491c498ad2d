// Package redis stores everything in Redis or Valkey, for any number of replicas of the server: the
// production store. One server, Sentinel and Cluster are served by the same code.
//
// # Promises
//
// Beyond what package store asks of every backend:
//
//   - A refresh that goes on, each half of a login, the state of a token, and a client assertion take one round trip.
//     Client credentials take none: replicas keep the clients they use and
//     ask now and then whether any has changed.
//   - Every atomic step is one script whose keys are in one slot. No request walks over keys.
//   - Nothing waits longer than its deadline, and nothing is tried again behind the caller's back: a
//     rotation that was sent may have happened, and only the app may repeat it. What a server refuses
//     to do (MOVED, ASK, TRYAGAIN, NOSCRIPT) did not happen, and is sent where it belongs.
//   - A poll of the keyring also brings the time by Redis' clock, against which a replica checks its own.
//   - Whatever goes wrong between here and Redis is store.ErrUnavailable. A breaker for each server
//     answers at once while one does not work.
//
// # What can be lost
//
// Redis acknowledges before its replicas have a write, so a master that dies may take the last
// moments with it. What that means here:
//
//   - A lost rotation heals: the app's refresh token is newer than the record, a master was restarted or
//     has taken over since the session was rotated last, and store.Decide moves the record on.
//   - A revocation, a used client assertion, a change of a user or client, and a keyring wait (WAIT) until WaitReplicas of the
//     replicas have them, where the master has or had any; on a shortfall the answer is
//     store.ErrUnavailable, and the repetition waits again. It can still be lost when a replica without
//     it is elected. Therefore:
//   - Every Store remembers the revocations of the last 15 minutes, its own and, by pub/sub, those of
//     others. What is in this log counts as revoked whatever a server replies, and all of it is applied again when a
//     master changes or was restarted (package revocation, masters.go).
//   - Every Store remembers likewise the client assertions that were used through it. Others are not
//     notified, so when a replica without it is elected an assertion that was overheard could be
//     used once more, at another replica of Signet, until the first one has marked it again: a moment
//     after it has noticed the new master (record/assertion.go).
//   - The event of a change is in the outbox of the same slot, as durable as the change. While a slot moves to another
//     server, a change in it may go on without its event there; a replica that is killed in that moment loses the event.
//   - A login that was acknowledged and is lost means that the user logs in again.
//   - With "appendfsync everysec" a power failure costs what the append-only file had not synced, one
//     to two seconds. So does a kill -9 of Redis on a busy disk: while a sync is under way Redis keeps
//     new writes in its memory for up to two seconds, and answers them. "appendfsync always" syncs
//     before each answer and closes both. Revocations and the keyring are repeated by every Store that
//     remembers them when the server is back. WAIT does not help where the same server comes back: its
//     replicas then follow the shorter file.
//   - A Redis that was wiped gets its install record and keyring back from the first replica that
//     polls (SwapKeyring). It never becomes another install: a record that is another install's is
//     never written over, and the data around it are not touched.
//
// Check reports settings of a server that make this worse; deploy/redis has a configuration without them.
//
// # Choices
//
// A login needs the credential of a name and the record of a user, which Cluster keeps in different
// slots, and no script may touch both. So the name has a copy of the credential; layout.Name has what keeps a copy
// that is not up to date from being used.
//
// Sessions are not indexed by time. Those that are over are swept by one replica in the background; the
// hash of a user's sessions runs out long after the last login, when none can be alive under any setting.
// Whether a session is over is asked by the lifetimes of the moment: one that was over under a shorter
// absolute lifetime, and was neither presented nor swept meanwhile, is alive under a longer one, as in
// package bolt.
//
// What decides about a session is the server's time, and a replica's clock counts only where the server
// does not return its own.
//
// # Packages
//
// This package puts the parts together, watches the masters and sweeps. The parts, each above those that follow:
//
//   - transfer: export, import, and what rewrites all records
//   - record: reads and writes records, with a file for each kind
//   - trail: the audit trail, and the outboxes in which events and logouts wait
//   - logout: the queue of logouts
//   - throttle: counts of attempts
//   - replica: what replicas of Signet send each other
//   - revocation: the revocations of the last minutes, and how they are done again
//   - layout: names of keys and bytes of records
//   - script: the atomic steps, in Lua
//   - conn: the transport; it does not depend on what the records are
package redis
