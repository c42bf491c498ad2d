// Package client calls the admin API of a Signet server, on its Unix socket or at a URL.
//
//	c := client.Socket("/run/signet/admin.sock", nil)
//	var user api.User
//	err := c.Call(ctx, api.CreateUser.At(), api.NewUser{Username: "erin"}, &user)
//
// Verbs and their types are those of package api. A refusal of the server is an *Error. A server that gives no
// answer is an *UnreachableError: whether a change was made is then unknown.
//
// A client follows no redirect, so a token and a password go only to the server that was named.
package client
