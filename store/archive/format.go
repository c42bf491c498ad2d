package archive

import (
	"iter"
	"time"

	"signet/store"
)

const (
	Version           = 2 // of the format that a Writer writes
	VersionUnverified = 1 // has no MAC

	// MaxLine bounds a line in bytes, and with it the memory that one record takes.
	MaxLine = 16 << 20
)

// Header is the first line.
type Header struct {
	Version    int            `json:"signet_export"`
	ExportedAt time.Time      `json:"exported_at"`
	Manifest   store.Manifest `json:"foundation"`
}

// Trailer is the last line.
type Trailer struct {
	Counts Counts `json:"counts"`
	SHA256 string `json:"sha256"`
	MAC    string `json:"mac,omitempty"` // HMAC-SHA-256
}

// Counts are how many records of each kind there are.
type Counts struct {
	Clients       int64 `json:"clients"`
	Users         int64 `json:"users"`
	Sessions      int64 `json:"sessions"`
	RevokedTokens int64 `json:"revoked_tokens"`
	Assertions    int64 `json:"spent_assertions,omitzero"` // newer than version 2; without any, an earlier signet reads the archive too
	Codes         int64 `json:"redeemed_codes,omitzero"`   // likewise
	Losses        int64 `json:"losses,omitzero"`           // likewise
	Events        int64 `json:"events"`
}

// add counts r and reports whether it is one record: exactly one field is set.
func (c *Counts) add(r store.Record) bool {
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
	count(r.UsedAssertion != nil, &c.Assertions)
	count(r.UsedCode != nil, &c.Codes)
	count(r.Loss != nil, &c.Losses)
	count(r.Event != nil, &c.Events)
	return fields == 1
}

// Total is the number of all records.
func (c Counts) Total() int64 {
	return c.Clients + c.Users + c.Sessions + c.RevokedTokens + c.Assertions + c.Codes + c.Losses + c.Events
}

// Counted returns the records and counts those that were returned without an error.
func (c *Counts) Counted(records iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for record, err := range records {
			if err == nil {
				c.add(record)
			}
			if !yield(record, err) {
				return
			}
		}
	}
}
