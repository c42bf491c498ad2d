// Package token makes and checks the tokens that Signet gives out.
//
// Access tokens are JWTs after RFC 9068, good for minutes. An Issuer signs them. A Checker has the one predicate for
// "this access token is good now": beside the signature and the times it asks for the session, the user and the
// client. Services that only verify signatures learn of a revocation when the token runs out.
//
// Refresh tokens and authorization codes are sealed, self-authenticating strings (Sealer). What is stored of a session cannot be
// replayed, and nothing is stored of a code that is not redeemed.
package token
