package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"

	"signet/store"
	"signet/store/seal"
)

// archiveReader reads an archive line by line and believes nothing: an unknown field, a line that is
// too long, a count or digest that does not agree, or anything behind the trailer is an error. What
// it returned before that error was read correctly and may still be what somebody has altered.
type archiveReader struct {
	header  archiveHeader
	trailer archiveTrailer // after the last record

	in     *bufio.Reader
	digest hash.Hash
	macs   []hash.Hash // one for each master key
	lax    bool        // one without a MAC is read too
	counts archiveCounts
	number int    // of the current line
	line   []byte // with its newline

	feed bytes.Reader  // line, for json
	fed  int64         // bytes of all lines that json was given
	json *json.Decoder // one for all lines: making one costs as much as a session
}

// newArchiveReader reads the header.
func newArchiveReader(in io.Reader, seals *seal.Keys, lax bool) (*archiveReader, error) {
	r := &archiveReader{in: bufio.NewReaderSize(in, 64<<10), digest: sha256.New(), macs: seals.Hashes(seal.Archive), lax: lax}
	r.json = json.NewDecoder(&r.feed)
	r.json.DisallowUnknownFields()
	if err := r.readHeader(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *archiveReader) readHeader() error {
	if err := r.readLine(); err != nil {
		return err
	}
	var first struct {
		Version *int `json:"signet_export"`
	}
	if err := json.Unmarshal(r.line, &first); err != nil || first.Version == nil {
		return errors.New("it is not what `signet export` writes: its first line is not a header")
	}
	switch v := *first.Version; {
	case v == archiveUnverified && !r.lax:
		return errors.New("it has no MAC, so nobody can tell whether it was edited: an older signet wrote it, or somebody took the MAC away; " +
			"--unverified takes it all the same, where you know that nobody else could write to it")
	case v != archiveVersion && v != archiveUnverified:
		return fmt.Errorf("it has version %d of the format, and this signet reads version %d; import it with the signet that wrote it or a newer one", v, archiveVersion)
	}
	if err := r.parse(&r.header); err != nil {
		return err
	}
	if f := r.header.Foundation; f.Install.ID == "" || f.KeyringVersion == 0 || len(f.Keyring) == 0 {
		return errors.New("line 1: the install or its keyring is missing")
	}
	r.sum()
	return nil
}

// sum adds the line to digest and MACs.
func (r *archiveReader) sum() {
	r.digest.Write(r.line)
	for _, mac := range r.macs {
		mac.Write(r.line)
	}
}

// verified reports whether the MAC in the trailer is that of the lines before it under one of the master keys.
func (r *archiveReader) verified() bool {
	want, err := hex.DecodeString(r.trailer.MAC)
	return err == nil && slices.ContainsFunc(r.macs, func(mac hash.Hash) bool { return hmac.Equal(mac.Sum(nil), want) })
}

// archiveLine is any line but the first.
type archiveLine struct {
	store.Record
	Counts *archiveCounts `json:"counts"`
	SHA256 *string        `json:"sha256"`
	MAC    string         `json:"mac"`
}

// next returns the next record, and io.EOF after the last if everything was as it must be.
func (r *archiveReader) next() (store.Record, error) {
	if err := r.readLine(); err != nil {
		return store.Record{}, err
	}
	var l archiveLine
	if err := r.parse(&l); err != nil {
		return store.Record{}, err
	}
	if l.Counts != nil || l.SHA256 != nil || l.MAC != "" {
		return store.Record{}, r.end(l)
	}
	if !r.counts.add(l.Record) {
		return store.Record{}, r.wrong("it is not exactly one record")
	}
	r.sum()
	return l.Record, nil
}

// end judges the trailer and what comes after it; io.EOF means that all is well.
func (r *archiveReader) end(l archiveLine) error {
	if (l.Record != store.Record{}) || l.Counts == nil || l.SHA256 == nil {
		return r.wrong("it is neither a record nor counts and digest")
	}
	r.trailer = archiveTrailer{Counts: *l.Counts, SHA256: *l.SHA256, MAC: l.MAC}
	if r.trailer.SHA256 != hex.EncodeToString(r.digest.Sum(nil)) {
		return r.wrong("the digest is not that of the lines before it: they were damaged or altered")
	}
	if r.header.Version != archiveUnverified && !r.verified() {
		return r.wrong("the MAC is not that of the lines before it under this master key: they were edited, or another install wrote them")
	}
	if r.trailer.Counts != r.counts {
		return r.wrong("the counts are not those of the records before it")
	}
	switch _, err := r.in.ReadByte(); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return err
	default:
		return errors.New("something comes after the last line")
	}
}

// records are the rest, for a range loop; the last value may be an error.
func (r *archiveReader) records() iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for {
			record, err := r.next()
			if errors.Is(err, io.EOF) || !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// readLine reads the next line into r.line.
func (r *archiveReader) readLine() error {
	r.line = r.line[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		r.line = append(r.line, part...)
		switch {
		case len(r.line) > maxArchiveLine:
			return fmt.Errorf("line %d is longer than %d bytes", r.number+1, maxArchiveLine)
		case err == nil:
			r.number++
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return errors.New("it is cut short: it ends without the line of counts and digest")
		default:
			return err
		}
	}
}

// parse reads one JSON value that is the whole line and has nothing that v does not know. After an
// error there is no next line: the decoder does not get over it.
func (r *archiveReader) parse(v any) error {
	r.feed.Reset(r.line)
	r.fed += int64(len(r.line))
	if err := r.json.Decode(v); errors.Is(err, io.EOF) {
		return r.wrong("it is empty") // not io.EOF, which would be the good end
	} else if err != nil {
		return r.wrong("%w", err)
	}
	if r.fed-r.json.InputOffset() != int64(len("\n")) {
		return r.wrong("something comes after its value")
	}
	return nil
}

func (r *archiveReader) wrong(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{r.number}, args...)...)
}
