package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"signet/store"
)

// Names of the fields that sign a line of the log.
const (
	fieldInstall = "install" // the first characters of the install's id; all of it is signed
	fieldReplica = "replica" // random, one a process
	fieldNumber  = "n"       // rises by one a line of this replica, from 1
	fieldPrev    = "prev"    // MAC of the line before
	fieldMAC     = "mac"
)

// Message is the msg of a line of the log with an audit event.
const Message = "audit"

const shortInstall = 8

// field is one member of a line. Every value that is signed is text.
type field struct{ name, value string }

// Signer writes the lines of one process: numbered, each with a MAC over its fields and the MAC of the
// line before. Without a key it writes them unsigned.
type Signer struct {
	key     func() []byte // nil: none. A function, because package fmt would print the key
	install string
	replica string
	log     *slog.Logger

	mu   sync.Mutex // held while a line is written, so that the order in the log is that of the numbers
	last uint64
	prev string
}

// chainKey derives the key of the MACs from the audit key of one master key.
func chainKey(secret [32]byte) []byte { return mac(secret[:], "chain") }

// nameKey derives the key of name hashes.
func nameKey(secret [32]byte) []byte { return mac(secret[:], "name") }

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// write writes the line of e.
func (s *Signer) write(e store.Event) {
	fields := eventFields(e)
	if s.key == nil {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, Message, attrs(fields)...)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	fields = append(fields, field{fieldInstall, short(s.install)}, field{fieldReplica, s.replica},
		field{fieldNumber, strconv.FormatUint(s.last, 10)}, field{fieldPrev, s.prev})
	s.prev = sign(s.key(), s.install, fields)
	s.log.LogAttrs(context.Background(), slog.LevelInfo, Message, attrs(append(fields, field{fieldMAC, s.prev}))...)
}

func short(install string) string { return install[:min(len(install), shortInstall)] }

// sign returns the MAC of a line: over the whole install id and the fields in the order of their names,
// each name and value with its length before it.
func sign(key []byte, install string, fields []field) string {
	m := hmac.New(sha256.New, key)
	put := func(text string) {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(text)))
		m.Write(size[:])
		m.Write([]byte(text))
	}
	put("signet audit line 1")
	put(install)
	for _, f := range slices.SortedFunc(slices.Values(fields), func(a, b field) int { return strings.Compare(a.name, b.name) }) {
		put(f.name)
		put(f.value)
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// eventFields are those of an event, without empty ones.
func eventFields(e store.Event) []field {
	// A line may be written some time after the event.
	fields := []field{{"type", e.Type}, {"outcome", e.Outcome}, {"at", e.At.UTC().Format(time.RFC3339Nano)}}
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, field{name, validText(value)})
		}
	}
	add("request_id", e.RequestID)
	add("actor", e.Actor)
	add("client_id", e.ClientID)
	add("sub", e.Subject)
	add("sid", e.SessionID)
	add("kid", e.KeyID)
	add("address", e.Address)
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		add(name, e.Detail[name])
	}
	return fields
}

// validText is text as a JSON line carries it. What is no UTF-8 would be replaced when the line is
// written, and the MAC would not fit.
func validText(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func attrs(fields []field) []slog.Attr {
	list := make([]slog.Attr, len(fields))
	for i, f := range fields {
		list[i] = slog.String(f.name, f.value)
	}
	return list
}
