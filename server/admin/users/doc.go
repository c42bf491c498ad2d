// Package users has the verbs of the admin API about users: one, many at once, a table that moves in, and their
// sessions.
package users
