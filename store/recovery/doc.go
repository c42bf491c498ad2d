// Package recovery decides what a restored backup may not bring back.
//
// A backup has no record of what was revoked after it was made. This package collects what is known of
// that time in a History, and lays it over the backup's records in an Overlay. The sources are, in order:
//
//  1. The store that is replaced, where it can be read and belongs to the same install. Its state counts
//     first: disabled flags, epochs, password and secret hashes, rights, generations of sessions, sessions
//     that are gone, revoked access tokens, used client assertions. Its audit trail comes second: the trail
//     has only the newest events, so a record that the state contradicts was dropped from it.
//  2. Lines of the server's log whose MAC chain holds.
//  3. Lines without a valid MAC: logs of earlier versions, lines that were altered.
//
// The rules:
//
//   - An overlay takes away. A restored client or user has no right that the backup did not give, and
//     none that the replaced store no longer gave. What was made or widened since the backup is lost, and
//     reported.
//   - A new password or client secret that the replaced store has is kept, because the old one was
//     revoked with it. Where only an event is known, the old one is void and the new one is unknown.
//   - Lines without a valid MAC only take away: they disable, end and revoke, and never enable.
//   - No time of an event is later than the moment of the restore, so a line that is dated in the future
//     cannot lock a user out for good.
//   - Absence counts only in a store that is at least as new as the backup. In an older store a user who
//     is not there was not deleted, but not made yet.
package recovery
