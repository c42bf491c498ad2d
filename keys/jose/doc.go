// Package jose reads and writes JSON Web Keys, key sets and signatures (RFC 7515, RFC 7517, RFC 7518,
// RFC 7638, RFC 8037), with the few algorithms that Signet supports. It keeps no state, does no I/O and
// imports nothing else of Signet but package secret.
//
// A client that signs its own assertions has registered its public keys: a PublicSet. A PublicSet
// is parsed once and never changes; no URL leads to keys. ParseJWS takes a token apart without
// verifying it. PublicSet.Verify then uses the kid to choose the key, and the key determines the
// algorithms. A verification costs one signature whatever the result, also for a set without keys,
// so its duration does not show which client has keys.
//
// JSON of others is read strictly: UTF-8 only, names exactly as they are spelt, none twice. Two readers
// of one document therefore find the same members in it. Error texts contain names and no values.
package jose
