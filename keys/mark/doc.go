// Package mark keeps one small document of a replica outside the store: the version of the keyring that
// it has held, the kids that were revoked, and the latest time that was seen. A store that was set back
// while nothing ran is noticed by it at the next start.
//
// A mark is proved by a MAC under each live master key. It is not shared by replicas.
package mark
