// Package keys holds the keys that sign tokens: it stores and rotates them, publishes them as a JWK Set, signs
// and verifies.
//
// The packages below it have one subject each: rotation the life of a key and the proof that no verifier meets an
// unknown one, timetable its durations, keyset what is served and signs, privatekey the private half, jose the
// formats, document what is stored and masterkey its seal, clockcheck the trust in this machine's clock, mark what a
// replica remembers over a restart, pkcs11 keys in an HSM.
//
// # Many replicas
//
// The keyring is one sealed document with a version number. Any replica that sees work due (Step) drafts it
// with package rotation and proposes it by compare-and-set; the others read again and find nothing left to do.
//
// A replica never goes back to an older keyring: if the store has lost its document or holds an older one, the
// replica writes its own back. An empty store never makes new keys by itself; Init does.
//
// # Keys elsewhere
//
// A privatekey.Provider keeps the private half of keys in an HSM or a KMS. The document then holds a reference and the
// public key, and is sealed in a format of its own: a replica that does not support it, or has no access to that
// Provider, refuses the keyring as a whole and changes nothing. The Provider makes the new keys, local ones
// continue until they retire, so an install moves by rotation; and back with Remote.MakeLocal. Verifying and
// the key set need no Provider. Package privatekey has how a slow one is bounded.
//
// A Probe has every key that signs, or will, make a signature, so that Ready reports a key that is missing, and the
// log does before its turn. A key that cannot be made leaves its algorithm without a successor until it can,
// and delays nothing else.
//
// # Secrets
//
// The install id and the version of the document are bound to it, so a document that was forged, renumbered or
// brought from elsewhere does not open, and nothing is written over it: see package masterkey. Master keys and
// private keys print as [redacted].
//
// With two master keys either opens, and the keyring stays under the one it is sealed with until Rewrap puts
// it under the first. The change therefore takes three steps, each of which may be done replica by replica
// and in any order: give all "new,old", Rewrap once, give all "new".
//
// # Backups
//
// A keyring out of a backup may have as active what was revoked since. Recover revokes what is known to have been
// revoked and has the successors sign. It raises the version by one only: replicas that are running and have
// read any change since the backup write their own keyring back.
//
// # Clocks
//
// Ages (of the last read, for SignStale and ServeStale) are measured by the wall clock and by the monotonic
// clock, and the larger counts: the first can be set back, the second stops while a machine is suspended. Times
// in the keyring are UTC to the millisecond, without a monotonic reading.
//
// States are comparisons with the clock, so a replica whose clock is off by more than Skew must not sign,
// and its plans are wrong. Each replica compares its clock with the storage's whenever it reads the keyring, if the
// storage has one, and with what the heartbeats of the other replicas show: see package clockcheck. A
// replica that is off does not sign, verify or plan, and serves the key set by the others' time. While the
// storage's clock is disputed the replicas sign, and nothing that is merely due is planned. Every replica
// continues by itself when the clocks agree again. None starts while its clock and the storage's differ,
// because it has no heartbeats of the others yet.
//
// Each replica keeps the latest time that was seen, in memory, in the keyring and in its mark, and never
// evaluates keys as of an earlier moment. A clock behind it by more than Skew is wrong, also where there is no
// other clock to compare with: the replica serves the key set, with every key that is to come, and signs nothing.
// After a clock that was ahead has been set right, Editor.ResetClock is needed.
//
// What cannot be noticed: a single clock that is set back and stays wrong until it has reached the latest time
// that was seen. From then on the replica signs and plans by it.
package keys
