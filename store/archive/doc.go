// Package archive reads and writes the file that carries the contents of a store: what `signet export` writes,
// and `signet import` and `signet restore` read.
//
// The file has one JSON object a line. The last line ends with a newline too. It begins with a header, has any number
// of records (store.Record) and ends with a trailer:
//
//	{"signet_export":2,"exported_at":…,"foundation":{"install":{…},"keyring_version":7,"keyring":"base64"}}
//	{"client":{…}}   or user, session, revoked_token, spent_assertion, loss, event
//	{"counts":{"clients":2,"users":40,"sessions":55,"revoked_tokens":0,"events":900},"sha256":"hex","mac":"hex"}
//
// Digest and MAC cover all bytes before the trailer. The digest detects damage. The MAC detects edits: its key derives
// from the master key. Version 1 has no MAC, and is read only where the caller asks for it. The keyring is sealed under
// the master key, which is not in the file.
//
// A record is decoded into the types of package store, and an audit event into store.Event with the constants of
// package store as its types. A field that is unknown is an error: it may be something that must not be lost.
package archive
