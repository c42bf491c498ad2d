// Package masterkey holds the one secret of an install and the documents that are sealed with it.
//
// A Key derives every other key of the install, each for one purpose. A Sealer seals the keyring with
// XChaCha20-Poly1305 under a derived key. The install id and the version are associated data, so a
// document that was forged, renumbered or brought from elsewhere does not open. Keys print as
// [redacted].
//
// Two keys can be live: either opens, and the caller chooses which one seals. A change of the master
// key therefore takes three steps, each of which may be done replica by replica and in any order: give
// all replicas "new,old", seal the keyring under the new one, give all replicas "new".
package masterkey
