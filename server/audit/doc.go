// Package audit decides what goes on the audit trail and writes it: to the store, where
// `signet audit list` reads it, and to the log.
//
// A Recorder has three methods for events of requests. Which one to use depends on the callers that can cause the event:
//
//   - Change: a change of state or what an operator did. It is always on the trail and in the log.
//   - RateLimited: a change that its own caller can repeat at will, such as the revocation of its
//     own tokens. It is always in the log; the trail has a bounded number of them.
//   - Refused: everything else that a caller can cause. It is counted by type, client and network.
//     Beyond a few a minute only the count is recorded, as one event with the outcome "more".
//
// A Recorder writes to the store in a second step, which a crash may prevent. So the event of a change is in the store's
// outbox as well, from the moment of the change (store.WithEvent): it reaches the trail whatever becomes of the Recorder.
// Drop is for a change that was taken back, or that is left off the trail.
//
// The trail is kept by class (store.ClassOf), so that no flood of one class ends what is known of another.
//
// Lines in the log are signed (Signer). A reader with the master key can recognise lines that were forged,
// changed, left out, put in another order or taken from another install (LogReader).
package audit
