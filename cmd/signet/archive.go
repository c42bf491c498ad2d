package main

import (
	"fmt"
	"io"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/store"
)

// An archive is what `signet export` writes and `signet import` reads: one JSON object a line, the
// last line too ended by a newline. A header, any number of records, a trailer:
//
//	{"signet_export":1,"exported_at":…,"foundation":{"install":{…},"keyring_version":7,"keyring":"base64"}}
//	{"client":{…}}   or user, session, revoked_token, spent_assertion, event; see store.Record
//	{"counts":{"clients":2,"users":40,"sessions":55,"revoked_tokens":0,"events":900},"sha256":"hex","mac":"hex"}
//
// Digest and MAC are of all bytes before the trailer. The digest finds accidents. The MAC finds forgers: its
// key derives from the master key. Version 1 had none, and is read where the operator asks for it. The keyring
// is sealed, and nothing in here opens it.
const (
	archiveVersion    = 2
	archiveUnverified = 1 // has no MAC
)

// maxArchiveLine bounds what one record may take up in memory.
const maxArchiveLine = 16 << 20

// archiveHeader is the first line.
type archiveHeader struct {
	Version    int              `json:"signet_export"`
	ExportedAt time.Time        `json:"exported_at"`
	Foundation store.Foundation `json:"foundation"`
}

// archiveTrailer is the last line.
type archiveTrailer struct {
	Counts archiveCounts `json:"counts"`
	SHA256 string        `json:"sha256"`
	MAC    string        `json:"mac,omitempty"` // HMAC-SHA-256
}

// archiveCounts is how many records of each kind there are.
type archiveCounts struct {
	Clients       int64 `json:"clients"`
	Users         int64 `json:"users"`
	Sessions      int64 `json:"sessions"`
	RevokedTokens int64 `json:"revoked_tokens"`
	Assertions    int64 `json:"spent_assertions,omitzero"` // came later; without any, an earlier signet reads it too
	Losses        int64 `json:"losses,omitzero"`           // likewise
	Events        int64 `json:"events"`
}

// add counts r and reports whether it is one record: exactly one field is set.
func (c *archiveCounts) add(r store.Record) bool {
	fields := 0
	count := func(set bool, n *int64) {
		if set {
			fields++
			*n++
		}
	}
	count(r.Client != nil, &c.Clients)
	count(r.User != nil, &c.Users)
	count(r.Session != nil, &c.Sessions)
	count(r.RevokedToken != nil, &c.RevokedTokens)
	count(r.SpentAssertion != nil, &c.Assertions)
	count(r.Loss != nil, &c.Losses)
	count(r.Event != nil, &c.Events)
	return fields == 1
}

func (c archiveCounts) total() int64 {
	return c.Clients + c.Users + c.Sessions + c.RevokedTokens + c.Assertions + c.Losses + c.Events
}

// write is the trailer for people.
func (t archiveTrailer) write(w io.Writer) {
	cli.Row(w, "clients", fmt.Sprint(t.Counts.Clients))
	cli.Row(w, "users", fmt.Sprint(t.Counts.Users))
	cli.Row(w, "sessions", fmt.Sprint(t.Counts.Sessions))
	cli.Row(w, "revoked tokens", fmt.Sprint(t.Counts.RevokedTokens))
	cli.Row(w, "spent assertions", fmt.Sprint(t.Counts.Assertions))
	cli.Row(w, "audit events", fmt.Sprint(t.Counts.Events))
	cli.Row(w, "sha256", t.SHA256)
}
