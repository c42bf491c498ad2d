// Package layout has the layout of a bolt file: its buckets, their keys, and the bytes and seals of the records.
//
// # Layout
//
// Top-level buckets and their keys. Integers are big-endian, times are Unix milliseconds.
//
//	meta       "schema" → uint64; "install" → JSON; "probe" → time of the last write probe;
//	           "client epoch" → uint32, the least epoch of new clients, above that of any client that was deleted;
//	           "logouts" → how many logouts there are uint64 ‖ how many were dropped uint64;
//	           "loss" → when writes were lost last; "copied" → time of the last Flush, which goes before a backup
//	clients    client id → JSON
//	users      user id (16) → see codec.EncodeUser
//	usernames  username → user id (16)
//	aliases    alias → user id (16); it counts where the user has the alias, because an earlier Signet passes the bucket over
//	sessions   user id (16) ‖ session id (16) → see codec.EncodeSession
//	keyring    "current" → version uint64 ‖ sealed document
//	revoked    jti → the time until which it matters
//	assertions id of a client assertion that was used (16) → the time until which it is good by itself
//	codes      user id (16) ‖ session id (16) of an authorization code that was redeemed → when the code expires
//	audit      sequence number uint64 → JSON
//	audit_rings letter of the class ‖ sequence number → nothing
//	logouts    when the session ended ‖ session id (16) → see encodeLogout
//	logouts_due when the logout is due ‖ its key in logouts → nothing
//	outbox     name → time of the commit ‖ JSON of the event of a change that was committed with it, until it is in audit
//	throttle   place/key → see EncodeTally
//	networks   place → networks that logins have succeeded from, see encodeNetworks
//
// Whether a session has ended is decided with the lifetimes of the moment: one that had ended under a shorter
// absolute lifetime, and was neither presented nor swept meanwhile, is alive under a longer one.
//
// The sessions of one user are one range, so that listing, capping and revoking them is one short
// walk. Records that the stores have in common are encoded by package codec.
package layout
