// Package pkcs11 keeps signing keys in a token that speaks PKCS #11 (Cryptoki 2.40): an HSM, a smart
// card, or SoftHSM. It is a privatekey.Provider.
//
// It calls the vendor's library through cgo, which the program otherwise does without, and is
// compiled in with `go build -tags pkcs11` only. Without the tag Open is an error.
//
// # What is in the token
//
// A key is a pair of objects with one random CKA_ID of 16 bytes, which is the reference that the
// keyring holds, and a CKA_LABEL for people. The private half is made in the token, sensitive and
// not extractable, and for signatures only; a token that makes it otherwise is refused. A key that
// was in a keyring is never destroyed from here: a backup may need it. Replicas use one token, or
// tokens that hold the same objects.
//
// ES256 needs CKM_EC_KEY_PAIR_GEN and CKM_ECDSA; RS256 CKM_RSA_PKCS_KEY_PAIR_GEN and CKM_RSA_PKCS;
// PS256 the former and CKM_RSA_PKCS_PSS with SHA-256; EdDSA CKM_EC_EDWARDS_KEY_PAIR_GEN and
// CKM_EDDSA. What a token lacks is refused by name.
//
// # When the token goes away
//
// The token is not called before the first key is used. One login serves a pool of sessions,
// each used by one call at a time and closed after an error. When the library returns that the
// device, a session or the login is gone, the whole connection is closed: calls that are still in the library
// are waited for, the library is finalized, and the next call begins anew. The call that failed tries once
// more. While that fails it is tried once a second at most.
//
// A wrong PIN is tried once and not again until the PIN is another one, and never when the token reports
// that the next wrong one locks it: a server that is restarted in a loop must not lock its token.
//
// A call into the library cannot be cut off. Package keys bounds how many there are.
package pkcs11
