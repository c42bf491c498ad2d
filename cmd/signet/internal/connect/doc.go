// Package connect selects the server that a command manages and returns a client of its admin API.
//
// The flags --socket, --config, --admin and --admin-token-file select it, or their environment variables, or the
// configuration in the working directory. Commands send new passwords over the connection, so a socket is used only if
// its server runs as root, as the caller, or as a user that the operator has named.
package connect
