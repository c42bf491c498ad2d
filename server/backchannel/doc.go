// Package backchannel informs apps that sessions of theirs have ended (OpenID Connect Back-Channel Logout 1.0).
//
// The store has the queue of logouts (store.Logouts): what ends a session puts the logout there in the same step. A Sender takes what is
// due, has a logout token signed at that moment, because one is good for two minutes only, and posts it to the client's
// backchannel_logout_uri:
//
//	POST /logout HTTP/1.1
//	Content-Type: application/x-www-form-urlencoded
//
//	logout_token=eyJ…
//
// What an answer does (§2.8):
//
//   - 2xx: the app has signed the user out, and the logout leaves the queue.
//   - 4xx but 408, 425 and 429: the app does not want it, and would not want it later. The logout leaves the queue too, and an
//     event of type logout is on the audit trail.
//   - Anything else (5xx, a redirect, no answer in time, no connection, an address in a private network that is not allowed): the
//     logout is tried again, until it is older than Config.GiveUp.
//
// Only the status of an answer is looked at. A little of the body is read so that the connection can be used again, and nothing of it
// is kept.
//
// # At least once
//
// A logout leaves the queue when its answer has arrived. A server that is killed between the two leaves it there with a lease, and it is
// sent again when that is over. So an app can be informed twice; the second time it has nothing to do. While the lease lasts no other
// replica sends it.
//
// # Apps that do not answer
//
// After a failure nothing is sent to that client for a while, which doubles with each failure in a row from one second to five
// minutes. Then one logout is tried. The others are due within half of that pause afterwards, and not all at once, so that an app that
// is down costs little and keeps none of another app waiting, however many of its sessions end. These pauses are of one server: each
// replica tries by itself.
package backchannel
