// Package clients has the commands of `signet client`: create, list, show, export, update, rotate-secret, revoke-secret, disable,
// enable and delete. A client is an app that asks for tokens; its settings are those of api.ClientSpec.
package clients
