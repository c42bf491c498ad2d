// Package server is Signet's HTTP surface: the endpoints that apps and services use, and the
// operator's verbs behind the admin listener.
//
// The public endpoints, relative to the issuer:
//
//	POST /token                                    RFC 6749: password, refresh_token, client_credentials
//	POST /revoke                                   RFC 7009
//	POST /introspect                               RFC 7662, for clients with the introspect right; signed on request (RFC 9701)
//	GET, POST /userinfo                            the user behind an access token
//	GET  /.well-known/jwks.json                    RFC 7517: what verifiers need
//	GET  /.well-known/oauth-authorization-server   RFC 8414 (its path rule: inserted before the issuer's path)
//	GET  /.well-known/openid-configuration         the same facts where OpenID Connect libraries look
//	GET  /healthz, /readyz                         alive; able to do its work
//
// # How a request goes through
//
// route.go matches the path exactly. form.go parses strictly: one spelling, every parameter once,
// nothing from the query. clientauth.go settles the client: by a secret, or by an assertion that it has
// signed with its own key (clientassertion.go), which then counts as used. token.go checks the grant and hands it
// to go-oauth2 (oauth2.go, the one file that knows the library), which asks back for the checks of
// the grant and, last, for the one step that consumes something: password.go, refresh.go or
// clientcredentials.go. issue.go signs. A request that is refused before that step has changed nothing.
//
// # Liberal where strictness protects nobody
//
// What two readers could understand in two ways is refused. What has one meaning, and real clients send,
// is accepted:
//
//   - Content-Type: any case, any parameters; the body's bytes are judged, not the charset that is named
//   - a byte order mark before the form and line ends behind it; empty parameters and empty pairs
//   - scope: spaces at its ends, and more than one between two scopes (a tab or a comma is refused)
//   - audience, another server's name for resource: ignored as any unknown parameter, and named in the log
//   - Authorization: empty counts as absent; Basic with or without padding, in either base64 alphabet, with
//     spaces or tabs around the credentials; "Basic Og==" for no client
//   - a preflight of a registered origin may ask for any header
//   - POST as well as GET to /userinfo; the body is not looked at
//   - username: white space at its ends, and any spelling with the same canonical form
//   - client assertions: unknown header members, an exp up to an hour ahead beside an iat, and an aud in an
//     array of one; unusable keys beside usable ones in a client's key set
//
// # Answers
//
// Handlers return a value or an error; answer.go writes, once. errors.go is the only place where
// inner errors become RFC 6749 codes. A failure of something Signet depends on is 503
// temporarily_unavailable with Retry-After, and the same request may be sent again: a refresh whose
// answer was lost finds its successor waiting. Every answer carries X-Request-Id, and the log line
// with that request_id has the true reason of a refusal.
//
// A replica whose clock is off (package keys says when) is not ready, and answers 503 to whatever
// depends on the time: all but the key set, the metadata and the health of the public endpoints, and
// every change that an operator asks for (clock.go).
//
// # Connections
//
// HTTPServer has the time-outs and sizes of one request, for every listener; Connections bounds how
// many connections a TCP listener has open, and which of them go at the limit: those without a whole request
// (wholerequest.go). What could be read in
// two ways is answered once and its connection closed (call.go, ambiguous).
//
// # Tokens
//
// Access tokens are JWTs after RFC 9068 (issue.go), good for minutes. accesstoken.go has the one
// predicate for "good now", which also asks the session, the user and the client; services that
// only verify signatures learn of a revocation when the token runs out. The one other thing that the
// same keys sign is an answer of introspection (introspectjwt.go), made so that nobody takes it for a
// token: another typ, no exp, no sub, and the client that asked for its aud. Refresh tokens are sealed,
// self-authenticating strings (refreshtoken.go); what is stored of a session cannot be replayed.
package server
