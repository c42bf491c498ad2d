package archive

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

// Writer writes an archive line by line.
type Writer struct {
	out    io.Writer
	digest hash.Hash
	mac    hash.Hash
	counts Counts
	bytes  int64 // written

	line bytes.Buffer
	json *json.Encoder // into line
}

// NewWriter writes the header. The MAC is made with the master key of seals that is in use.
func NewWriter(out io.Writer, seals *seal.Keys, f store.Manifest, now time.Time) (*Writer, error) {
	w := &Writer{out: out, digest: sha256.New(), mac: seals.Hash(seal.Archive)}
	w.json = json.NewEncoder(&w.line)
	w.json.SetEscapeHTML(false)
	return w, w.writeLine(Header{Version: Version, ExportedAt: store.Millis(now), Manifest: f})
}

func (w *Writer) writeLine(v any) error {
	w.line.Reset()
	if err := w.json.Encode(v); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	if w.line.Len() > MaxLine {
		return fmt.Errorf("writing the archive: a record has %d bytes, and more than %d are not read again", w.line.Len(), MaxLine)
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

// Write writes one record. It refuses what a Reader would not return as it was.
func (w *Writer) Write(r store.Record) error {
	if !w.counts.add(r) {
		return fmt.Errorf("writing the archive: record %d is not exactly one thing", w.counts.Total())
	}
	if what := notText(r); what != "" {
		return fmt.Errorf("writing the archive: %s holds bytes that are no text, which JSON would change", what)
	}
	return w.writeLine(r)
}

// notText names a record that JSON would change because it is not UTF-8. Clients and events are stored as JSON, so
// they are UTF-8.
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
	return utf8.ValidString(u.Username) && utf8.ValidString(u.PasswordHash) && utf8.ValidString(string(u.Imported))
}

// Finish writes the trailer, without which no Reader accepts the archive.
func (w *Writer) Finish() (Trailer, error) {
	t := Trailer{Counts: w.counts, SHA256: hex.EncodeToString(w.digest.Sum(nil)), MAC: hex.EncodeToString(w.mac.Sum(nil))}
	return t, w.writeLine(t)
}

// Bytes returns how many were written so far.
func (w *Writer) Bytes() int64 { return w.bytes }
