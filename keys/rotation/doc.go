// Package rotation computes the life of signing keys: which key signs, which keys are published, and what is
// due. It is pure: every function takes the time, does no I/O and makes no keys. Package keys stores the
// keyring and holds the key material.
//
// # The life of a key
//
//	pending ──Publish──▶ active ──Active──▶ retired ──Retain──▶ removed        any state ──▶ revoked
//	in key set           in key set         in key set          gone           gone at once
//	not signing          signs              verifies only
//
// A key carries its timetable, and its state is a comparison of that with the time. So nothing happens at the
// moment of an activation: every replica that holds the keyring computes the same, also when no replica ran at
// that moment. A key retires at the moment its successor activates, and only then; so each live
// algorithm has exactly one active key at any time. If nothing advances the keyring for months, the published
// successor activates on time and then signs until the next one has been published for Publish: late, but never
// unseen.
//
// # Why no verifier meets an unknown key
//
// With the letters of the fields of timetable.Timetable
//
//	J Cache    C CDN    S Skew    T MaxTokenLife    L Leeway    X SignStale    D ServeStale    P Publish    V Retain
//
// the inequalities are
//
//	P ≥ D + C + J + S        V ≥ X + S + T + L        D > X
//
// Assume that a replica has read the keyring just before a new key was written. It serves its key set for
// ServeStale more, a CDN repeats that for CDN, a verifier keeps what it got for Cache, and clocks differ by
// Skew. After Publish everyone who honours these has the key, and only then does it sign. At the other end, a
// replica that has not read of the retirement signs for SignStale more, its clock is Skew off, the token lives
// for MaxTokenLife and the verifier adds Leeway. The key stays for Retain; and for Skew more if its end was
// brought forward, by a clock that may itself be Skew behind. What is measured from a write is measured from
// PublishAt, which lies a notice (10 s, or a fifth of Publish if that is less) ahead of the proposal. A proposal
// that has not reached the store by then is given up; if it arrives all the same, the first replica that
// notices delays the activation.
//
// The exceptions: an install's first keys sign at once, and so does the successor of a signing key that was
// revoked before the successor was published for Publish. Both rely on verifiers that fetch again for an
// unknown kid.
//
// # Changes
//
// A change is a Draft of the next keyring. Advance does what is due. Plans are only ever stretched, never
// shortened, by a timetable that differs, and an algorithm that one replica is not configured for ends only
// after no replica has canceled that for Publish. So replicas in the middle of a configuration change do not
// undo each other's work.
//
// A draft does not make keys. It uses those of its Fresh, puts placeholders where one is missing, and
// Fresh.Needs lists them. The caller makes these keys and drafts again.
//
// Revoke takes a key out of service in one step. The step is dated Skew back, so that it is in force on every
// replica as soon as that has read it, whatever its clock shows within Skew. If the successor was published
// for Publish, every verifier continues without a gap; if not, Revoke is an error unless it is an emergency.
// timetable.Exposure is how long tokens of the key can still be accepted elsewhere. RotateNow is the same without
// distrust: the key that signed retires. Recover does both for a keyring out of a backup.
//
// # Nothing moves backwards
//
// A revocation is a fact: it holds at every time. Planned steps are comparisons with the time, so the keyring
// records the latest time that was known when it changed, and is never evaluated as of an earlier moment. A key
// that is gone leaves a tombstone, so its kid never comes back.
package rotation
