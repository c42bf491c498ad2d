// Package admin serves the admin API, whose verbs and types are in package api: routes, the rights of callers, and the
// handlers. A noun is a struct with the few dependencies that it uses. Clients, their secrets, the throttle, the audit
// trail, backups and the seals of the store have files here; users with their imports and sessions are package users, the
// signing keys package keyring.
//
// New puts them together. Admin.Socket is the handler of the Unix socket, whose mode 0600 is the authentication.
// Admin.Token is the handler of a TCP listener: each request needs an access token with the scope of its verb (auth.go).
//
// Every change is on the audit trail, with its caller as the actor: Recorder.OK of package call records it, and
// Recorder.WithEvent has the store keep the event together with the change. A change whose outcome is not known is there
// too (error.go).
//
// Bodies are read strictly: package input refuses what two readers could understand in two ways, and its errors never
// quote a value, which may be a password. What takes as long as its bytes do is under a call.Guard: each step has a time of
// its own, and the caller's right to it is checked again on the way.
package admin
