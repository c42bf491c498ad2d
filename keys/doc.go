// Package keys holds the keys that sign tokens: it rotates them, publishes them as a JWK Set, signs
// and verifies.
//
// # The life of a key
//
//	pending ──P──▶ active ──K──▶ retired ──V──▶ removed          any state ──▶ revoked
//	in JWKS        in JWKS       in JWKS        gone             gone at once
//	not signing    signs         verify only
//
// A key carries its timetable, and its state is a comparison of that with the clock. So nothing
// happens at the moment of an activation: every replica that holds the keyring comes to the same
// answer by itself, also when no replica ran at that moment. A key retires at the very moment its
// successor activates, and only then; so each live algorithm has exactly one active key at any time.
// If nobody runs for months the published successor activates on time and then signs until a next
// one was published for P: late, but never unseen.
//
// # Why no verifier meets an unknown key
//
// Let a replica have read the keyring just before a new key was written. It serves its key set for
// D more, a CDN repeats that for C, a verifier keeps what it got for J, and clocks differ by S. After
// P ≥ D+C+J+S everyone who honours these has the key, and only then does it sign. At the other end:
// a replica that has missed the retirement signs for X more, its clock is S off, the token lives for
// T and the verifier adds L. The key stays for V ≥ X+S+T+L; and for S more where its end was brought
// forward, by a clock that may itself be S behind. What is measured from a write is measured
// from PublishAt, which lies a notice (10 s, or P/5 where that is less) ahead of the proposal; a
// proposal that has not reached the store by then is given up, and if it turns up all the same, the
// first replica that can tell puts the activation off.
//
// The exceptions: an install's first keys sign at once, and where a signing key was revoked without
// an aged successor the next key does. Both lean on a verifier that fetches again for an unknown kid.
//
// # Many replicas
//
// The keyring is one sealed document with a version number. Any replica that sees work due (Step)
// plans it with the pure function Advance and proposes it by compare-and-set; losers read again and
// find nothing left to do. Plans once made are only ever stretched, never shortened, by a replica
// whose timetable differs, and an algorithm that one replica is not configured for ends only after
// nobody has objected for P. So replicas in the middle of a configuration change do not fight.
//
// A replica never goes back to an older keyring: where the store has lost its document or holds an
// older one, it writes its own back. An empty store never makes new keys by itself; Init does.
//
// # Keys elsewhere
//
// A Provider keeps the private half of keys in an HSM or a KMS. The document then holds a reference
// and the public key, and is sealed in a format of its own: a replica that does not know it, or has
// no access to that Provider, refuses the keyring as a whole and changes nothing. New keys are made
// by the Provider, those that are local go on until they retire, so an install moves by rotation; and
// back with Remote.MakeLocal. Verifying and the key set need no Provider.
//
// What is elsewhere can be slow or away. A signature passes a gate (so many at once, so many waiting,
// one timeout) and is verified before it goes out; what fails is ErrSigner, which decides nothing.
// Trial asks every key that signs, or will, for a signature, so that Ready knows and that a key which
// is missing is noticed before its turn. A key that cannot be made leaves its algorithm without a
// successor until it can, and keeps nothing else from being done.
//
// # Secrets
//
// The document is sealed with XChaCha20-Poly1305 under a key derived from the master key. The
// install id and the version are associated data, so a document that was forged, renumbered or
// brought from elsewhere does not open, and nothing is written over it. masterkey.Key and the private part
// of Key print as [secret.Redacted] or as an address, never as what they are.
//
// With two master keys either opens, and the keyring stays under the one it is sealed with until
// Rewrap puts it under the first. So the keys are changed over in three steps, each of which may be
// done replica by replica and in any order: give all "new,old", Rewrap once, give all "new".
//
// # Emergencies
//
// Revoke takes a key out of service in one step of the keyring. That step is dated S back, so that it
// is in force on every replica as soon as that has read it, whatever its clock says within S. When
// the successor was published for P, every verifier goes on without a gap; when it was not, Revoke
// refuses unless it is told that this is an emergency. Exposure says how long tokens of the key can
// still be accepted elsewhere. RotateNow is the same without distrust: the key that signed retires.
//
// # Backups
//
// A keyring out of a backup may have as active what was revoked since. Recover revokes what is known to
// be and has the successors sign. It counts the version up by one only: so replicas that are running
// and have seen any change since the backup know better, and write their own keyring back.
//
// # Clocks
//
// Ages (X and D) are measured by the wall clock and by the monotonic clock, and the larger counts:
// the first can be set back, the second stops while a machine is suspended. Times in the keyring are
// UTC to the millisecond, without a monotonic reading.
//
// States are comparisons with the clock, so a replica whose clock is off by more than S must not sign,
// and what it plans is wrong. Each replica compares its clock with the storage's whenever it reads the
// keyring, where the storage has one, and with what the other replicas' showed in their heartbeats. The
// majority of these clocks is right, a replica's own among them. The storage's alone is not, because
// its jump would stop all replicas at once, which agree with each other. Where it is outvoted the
// replicas go on signing, and nothing is planned until all agree. Where the votes are even (a single
// replica and its storage; two replicas apart, with the storage on the side of one) the storage's side
// is right: one must be, and there is one storage for all. A replica that is off does not sign, verify
// or plan, and serves the key set by the others' time. Between two reads it notices by the monotonic
// clock that its wall clock was set, or that the machine slept, and stops until the next read has
// compared them. It goes on by itself when its clock is right again. None starts while its clock and
// the storage's differ: it has not heard of the others yet.
//
// # The latest time
//
// A revocation is a fact: it holds whatever the clock says. Planned steps are comparisons with the clock,
// so each replica keeps the latest time that was seen, in memory, in the keyring and in its Mark, and never
// looks at keys as of an earlier moment. A clock behind it by more than S is wrong, also where there is no
// other clock to ask: the replica serves the key set, with every key that is to come, and signs nothing.
// A clock that was ahead is the other case; ResetClock is the way out.
//
// A Mark also holds the version of the keyring and the kids that were revoked. It is written outside the
// store, so that a store which was set back is noticed by a replica that was not running.
//
// # Keys of others
//
// Package jose verifies what clients sign with keys of their own.
package keys
