// Package upstream asks another login system for passwords that Signet does not have: the system that users move from,
// or a directory that keeps them for good.
//
// # Who is asked
//
// The upstream is asked for a username that no user has here, for a user who is marked as not moved yet
// (store.MovePending), and for one whose password stays there (store.MoveStay). It is never asked for a user whose
// password is checked here. A user who has once been accepted in the mode "move" has a hash of Signet's own from then
// on, so the other system loses them one by one, and can be turned off when no logins reach it any more.
//
// The throttle counts an attempt before this package is called, as for any login, so guessing at the upstream is no
// faster than here.
//
// # What an answer does
//
//   - Accepted, mode "move": the user is made, or completed, with a fresh argon2id hash from the pool, the claims and
//     the id of the answer. Two such logins at once make one user: the store takes a name once, and the loser checks
//     the password against what the winner has stored. A password that Signet cannot hash (longer than it takes, or
//     with control characters) lets the user in and leaves them as not moved, so they are asked for again.
//   - Accepted, mode "stay": the user has a record, a sub and sessions like any other, and no hash. The claims are those
//     of the latest answer, all of them: a role that the directory took away is gone at the next login.
//   - Accepted and disabled: as above, and the user is disabled. A user who is disabled here is never let in, whatever
//     the upstream answers. In the mode "stay" the flag is the directory's and is not stored: the login is refused, and
//     the sessions of the user end.
//   - Refused: the login is refused as any other wrong password is.
//   - Anything else is no answer: a connection that fails, a timeout, a redirect, HTML, a body that is too large, an
//     unknown member, the id of another user, claims that are too large or have reserved names. The response is 503
//     with Retry-After, never invalid_grant, because nothing is known of the password.
//
// # Limits
//
// At most Concurrency calls run at once; eight times as many wait, within Timeout, which counts from the beginning of
// the wait. After five calls in a row without any answer, or half of twenty, a circuit breaker refuses for two seconds
// and then lets one call try. Only a missing answer counts for it. An answer that cannot be used does not: a username
// that makes the other system fail must not shut out other users.
//
// # What time gives away
//
// The response to a refused login is the same for a user with a hash here, for one that only the upstream has, and for
// a name that neither has. Its time must not differ either, and three things would make it differ:
//
//  1. A user with a hash here costs a hash; the others cost a call. So a refusal by the upstream is followed by the
//     work of a hash in the same pool, and a refusal of a user with a hash here by a pause of the length of a call.
//  2. The upstream itself may take longer for its own users, whose hash it computes, than for a name that it has
//     not. So a refusal is held back until the call has lasted as long as nine of ten recent calls do, counted apart
//     for accepted and refused passwords, whichever is longer. An outsider can send as many wrong names as they like
//     and change only the second; the first follows from logins with right passwords.
//  3. What takes longer than that is longer for a pause as well: a pause lasts as long as some recent refusal did.
//
// So a name that is unknown here and unknown there costs one call and one hash, and its response takes as long as that
// of the slower tenth of known users. What remains: while the upstream does not answer, a user with a hash here can
// still log in and all others get 503, which tells them apart; and for the first few logins after a start no times are
// known. Waiting costs neither a slot of the pool nor one of the calls.
package upstream
