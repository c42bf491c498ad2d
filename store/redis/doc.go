// Package redis keeps everything in Redis or Valkey, for any number of replicas of the server: the
// production store. One server, Sentinel and Cluster are served by the same code.
//
// # Promises
//
// Beyond what package store asks of every backend:
//
//   - One round trip each for a refresh that goes on, for both halves of a login, for asking after a token, and
//     for a client assertion. None else for client credentials: replicas keep the clients they use and
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
//     master changes or was restarted (revocationlog.go, watcher.go).
//   - Every Store remembers likewise the client assertions that were used through it. Others are not
//     told of them, so when a replica without it is elected an assertion that was overheard could be
//     used once more, at another replica of Signet, until the first one has marked it again: a moment
//     after it has noticed the new master (assertion.go).
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
// # Layout
//
// Every key begins with Config.Prefix and a colon. What stands in braces decides the slot.
//
//	u:{USER}                   string: revision 4 ‖ user (package codec)
//	s:{USER}                   hash: session id (16) → session (package codec)
//	n:{PP}:USERNAME            string: name record, see name.go
//	names:{PP}                 sorted set, all scores 0: the usernames of one of 256 parts
//	r:{jJTI}                   string, runs out by itself: a revoked access token
//	a:{aASSERTION}             string, runs out by itself: a client assertion that was used
//	t:{tPLACE}:BUCKET          string, runs out by itself: a throttle count, see tally.lua
//	t:{tPLACE}                 string, runs out by itself: the networks that an account's logins succeeded from
//	b:{…}                      string, runs out in a second: a barrier, see durable.go
//	clients:{c}                hash: client id → JSON
//	clients:{c}:version        string: another one whenever a client is another one
//	clients:{c}:epoch          string: the least epoch of new clients, above that of any client that was deleted
//	install:{i}                string: the install record, JSON
//	install:{i}:keyring        hash: version, document (sealed)
//	install:{i}:beats          hash: replica → JSON
//	install:{i}:probe          string: what Ping writes
//	install:{i}:sweeping       string: the replica that sweeps
//	install:{i}:masters        hash: run ids of the masters that were seen last
//	install:{i}:loss           string: when a master was seen last that may lack writes (ms)
//	install:{i}:importing      string: an import is not finished
//	audit:{a}:CLASS            stream: one event of a class an entry, JSON in field e; the id is its number
//	audit:{a}:last             string: the last number, of all classes
//	audit:{a}:appended:N       hash: names of the entries of outboxes whose events were appended last; two take turns
//	o:{TAG}                    hash, the outbox of a slot: name → event of a change in the slot, until it is in its stream; see outbox.go
//	audit:{a}                  stream: events of all classes, from earlier versions; it goes in time
//	hints                      pub/sub channel, JSON: see hint.go
//
// USER and ASSERTION are ids in base64url, PP two hex digits of the username's SHA-256. Records of users and
// sessions are apart because a hash stays a listpack, at about 70 bytes a session, only while its
// values have 64 bytes at most; a client id of more than 41 bytes makes a user's hash larger.
//
// # Choices
//
// A login needs the credential of a name and the record of a user, which Cluster keeps in different
// slots, and no script may touch both. So the name has a copy of the credential, and name.go makes
// sure that a copy which is not up to date is never believed.
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
// Package conn is the transport. It does not depend on what the records are.
package redis
