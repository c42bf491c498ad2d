// Package clientauth finds out which client a request is from (RFC 6749 §2.3).
//
// A client authenticates by a secret (HTTP Basic or in the body), by an assertion that it has signed with its own key
// (private_key_jwt, RFC 7523), or not at all if it is a public one. Whatever is wrong with the client (unknown,
// disabled, another method, a bad secret), the response is the same to the byte, after the same work. Failures are
// counted against the client id and the caller's network.
//
// Cache keeps clients as they were read. Floors refuses old records of clients that may administer Signet.
package clientauth
