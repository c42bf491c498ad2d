// Package apply has the command `signet apply`: it compares files of clients (package clientfile) with a server, shows the
// differences, and makes them.
//
// A plan is made of the files and of what the server has, and changes nothing. It is refused as a whole where one client in
// the files cannot be what they have, or where no client could call the admin API afterwards. Each change is one call of the
// admin API, and so one event on the audit trail. It names the revision of the client that the plan was made from: a client
// that has changed since is left alone. Changes are made in the order of the plan up to the first that fails.
// To run it again continues there, because a plan has only what is different.
package apply
