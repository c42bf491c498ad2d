// Package server puts the server together: New builds the handlers and what they share, and two route tables, that of
// the public listener (route.go) and that of the admin API (package admin), lead to them.
//
// The public endpoints, relative to the issuer:
//
//	GET, POST /authorize                           RFC 6749 §4.1: the sign-in page, and codes
//	POST /sign-in                                  the form of the sign-in page
//	POST /par                                      RFC 9126: authorization requests that are sent beforehand
//	POST /token                                    RFC 6749: password, refresh_token, client_credentials
//	POST /revoke                                   RFC 7009
//	POST /introspect                               RFC 7662, for clients with the introspect right; signed on request (RFC 9701)
//	GET, POST /userinfo                            the user of an access token
//	GET  /.well-known/jwks.json                    RFC 7517: what verifiers need
//	GET  /.well-known/oauth-authorization-server   RFC 8414 (its path rule: inserted before the issuer's path)
//	GET  /.well-known/openid-configuration         the same where OpenID Connect libraries look
//	GET  /healthz, /readyz                         alive; able to do its work
//
// # How a request goes through
//
// A listener is bounded by package connlimit. ServeHTTP matches the path exactly and hands the request to package edge,
// which runs the route: security headers, the checks of the route, the handler, one response, one line in the log. The
// token endpoint, revocation and introspection need an authenticated client, which package clientauth finds. Package
// oauth has their handlers and those of the grants; package token issues and checks what is handed out; package
// discovery serves what is public.
//
// What operators can change while the server runs is in Settings. Every package reads it through a func of its Config,
// so that Apply changes one pointer. A request that is under way may see some of the old settings.
//
// # Liberal where strictness gives no protection
//
// What two readers could understand in two ways is refused. What has one meaning, and real clients send,
// is accepted:
//
//   - Content-Type: any case, any parameters; the bytes of the body decide, not the charset that is named
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
// # Clocks
//
// A replica whose clock is off (package clockcheck) is not ready, and answers 503 to whatever depends on the time: all
// but the key set, the metadata and the health of the public endpoints, and every change that an operator asks for.
package server
