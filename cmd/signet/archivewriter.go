package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"
	"unicode/utf8"

	"signet/store"
	"signet/store/seal"
)

// archiveWriter writes an archive line by line and keeps none of them.
type archiveWriter struct {
	out    io.Writer
	digest hash.Hash
	mac    hash.Hash
	counts archiveCounts
	bytes  int64

	line bytes.Buffer
	json *json.Encoder // into line
}

// newArchiveWriter writes the header.
func newArchiveWriter(out io.Writer, seals *seal.Keys, f store.Foundation, now time.Time) (*archiveWriter, error) {
	w := &archiveWriter{out: out, digest: sha256.New(), mac: seals.Hash(seal.Archive)}
	w.json = json.NewEncoder(&w.line)
	w.json.SetEscapeHTML(false)
	return w, w.writeLine(archiveHeader{Version: archiveVersion, ExportedAt: store.Millis(now), Foundation: f})
}

func (w *archiveWriter) writeLine(v any) error {
	w.line.Reset()
	if err := w.json.Encode(v); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	if w.line.Len() > maxArchiveLine {
		return fmt.Errorf("writing the archive: a record has %d bytes, and more than %d are not read again", w.line.Len(), maxArchiveLine)
	}
	w.digest.Write(w.line.Bytes())
	w.mac.Write(w.line.Bytes())
	n, err := w.out.Write(w.line.Bytes())
	w.bytes += int64(n)
	if err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}

func (w *archiveWriter) write(r store.Record) error {
	if !w.counts.add(r) {
		return fmt.Errorf("writing the archive: record %d is not exactly one thing", w.counts.total())
	}
	if what := notText(r); what != "" {
		return fmt.Errorf("writing the archive: %s holds bytes that are no text, which JSON would change", what)
	}
	return w.writeLine(r)
}

// notText names a record that JSON would change: what is not UTF-8 comes out of it as something
// else. Clients and events are kept as JSON and have been through that.
func notText(r store.Record) string {
	switch {
	case r.User != nil && !textOfUser(*r.User):
		return "user " + r.User.ID.String()
	case r.Session != nil && !utf8.ValidString(r.Session.ClientID):
		return "session " + r.Session.ID.String()
	case r.RevokedToken != nil && !utf8.ValidString(r.RevokedToken.JTI):
		return fmt.Sprintf("revoked token %q", r.RevokedToken.JTI)
	}
	return ""
}

func textOfUser(u store.User) bool {
	for name := range u.Claims {
		if !utf8.ValidString(name) {
			return false
		}
	}
	return utf8.ValidString(u.Username) && utf8.ValidString(u.PasswordHash)
}

// finish writes the trailer, without which an archive is not one.
func (w *archiveWriter) finish() (archiveTrailer, error) {
	t := archiveTrailer{Counts: w.counts, SHA256: hex.EncodeToString(w.digest.Sum(nil)), MAC: hex.EncodeToString(w.mac.Sum(nil))}
	return t, w.writeLine(t)
}
