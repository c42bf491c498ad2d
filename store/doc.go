// Package store defines what Signet stores, and what every backend promises.
//
// The records (Client, User, Session …) are plain values: a backend returns copies, and a caller
// may change what it gets. The interfaces are small, each named for what it stores; Store joins them
// for code that opens and closes a backend. Nothing here depends on HTTP, JWTs or passwords in the clear.
//
// What every backend promises, and package storetest checks:
//
//   - A method that returns nil has made its change durable, and it survives a kill -9 of Signet.
//     Throttle counts, heartbeats and the audit trail are the exceptions; see their interfaces.
//     The embedded store has synced the change by then, so a power failure does not lose it. In Redis
//     it is as durable as Redis makes it: with "appendfsync always" it is in the synced file, with
//     "everysec" a kill -9 of Redis can lose the last two seconds while the disk is busy, and a power
//     failure the last second or two (package store/redis).
//   - A method is one atomic step. Two that touch the same session (Rotate, RevokeSession,
//     RevokeSessions, UpdateUser, DeleteUser) are serialised: one order explains all results.
//   - The audit event of a change is stored with the change, in the same atomic step, where the caller passes it
//     (WithEvent). A crash between the change and the record of it does not lose the event.
//   - An error that is not one of this package's sentinels means that the change
//     may or may not have happened. The edge answers 503 and the client repeats the request.
//   - Decisions take the caller's now. Times are kept to the millisecond, in UTC; a session's time
//     never runs backwards, whatever the caller's clock does.
//   - What has expired is refused by comparison with now, whether it was swept or not.
//   - Nothing that can be replayed is stored: no token, no client secret, no password in the clear.
package store
