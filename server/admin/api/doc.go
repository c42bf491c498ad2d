// Package api defines the admin API: its verbs, the JSON of their requests and answers, the scopes they need and
// the codes of their errors. The server (package admin) and the Go client (package client) both use these types.
// README.md beside this file has the same as a page, with recipes for curl.
//
// A program reaches the API on one of two listeners:
//
//   - the admin socket, a Unix socket of mode 0600. It needs no token: a process that can open it may use every verb.
//   - admin.listen, a TCP listener. Each request there has an access token of a confidential client (grant
//     client_credentials) in Authorization: Bearer, with the scope of the verb and for the audience Audience(issuer).
//
// Bodies and answers are JSON objects in UTF-8. A member that is unknown or that appears twice is refused, and so is a
// body of a verb that takes none. Times are RFC 3339. Parts of a path are percent-encoded. Lists take limit (100, at
// most 1000) and after, which is the next of the page before. A refusal has Error as its body. Every change is in the
// audit trail, with the client as its actor.
package api
