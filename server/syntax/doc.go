// Package syntax has the syntax and the limits of the names that appear in requests, in tokens and in the records
// of clients: client ids, scopes, audiences, claims, grant types, origins, redirect URIs and hosts of this machine.
//
// A name is checked by the same function where it is registered, where it is requested and where the configuration
// has it. A function whose name begins with Check returns what is wrong with the name, as the end of a sentence
// that begins with it, or "".
package syntax
