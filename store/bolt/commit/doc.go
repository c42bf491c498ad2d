// Package commit reads and writes an open file. Writers share transactions: group commit.
//
// # Promises
//
//   - Writers that arrive while a transaction is being synced share the next one, and its fsync. A lone writer is never
//     made to wait for company. Nothing is acknowledged before the file is synced, and a request that fails does not fail
//     its neighbours.
//   - A failed commit (disk full, file limit, I/O error) gives every request in it store.ErrUnavailable with the cause. The
//     next write tries again, so the store recovers when there is space.
//   - Nothing is acknowledged, and nothing written, while the path does not lead to the open file.
//   - The events of a change (store.WithEvent) are in the outbox from the commit of the change on.
//
// # How it works
//
// Writers add their request to the batch that is forming and wait for its end. One goroutine takes the batch, applies every
// request in one transaction and commits it; meanwhile the next batch forms. So a batch is whatever arrived during the last
// commit: a lone writer does not wait, and under load one fsync serves many. bbolt's own Batch delays every writer and runs failed
// requests again alone.
package commit
