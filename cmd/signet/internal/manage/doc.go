// Package manage has the commands that manage a running server through its admin API: user, session, throttle, audit,
// backup and store seal. Those of clients are in package clients, and those of the signing keys in package signingkeys.
//
// A command sends one request of package api, by the client of package connect, and prints the answer as a table or,
// with -o json, as the server sent it. Limits and rules are the server's: a command checks only what it needs to build
// the request. Passwords are read from standard input, a file or the terminal, and are never flags.
package manage
