package archive

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

// Reader reads an archive line by line and checks all of it: an unknown field, a line that is too long, a count,
// digest or MAC that does not fit, or anything behind the trailer is an error. The records that it returned before
// the error may be altered ones.
type Reader struct {
	Header  Header
	Trailer Trailer // after the last record

	in         *bufio.Reader
	digest     hash.Hash
	macs       []hash.Hash // one for each master key
	unverified bool        // an archive without a MAC is read too
	counts     Counts
	number     int    // of the current line
	text       []byte // of it, with its newline

	feed bytes.Reader  // text, for json
	fed  int64         // bytes of all lines that json was given
	json *json.Decoder // one for all lines: making one costs as much as a session
}

// NewReader reads the header. The archive must have the MAC of one of the master keys of seals, unless unverified is set.
func NewReader(in io.Reader, seals *seal.Keys, unverified bool) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 64<<10), digest: sha256.New(), macs: seals.Hashes(seal.Archive), unverified: unverified}
	r.json = json.NewDecoder(&r.feed)
	r.json.DisallowUnknownFields()
	if err := r.readHeader(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Reader) readHeader() error {
	if err := r.readLine(); err != nil {
		return err
	}
	var first struct {
		Version *int `json:"signet_export"`
	}
	if err := json.Unmarshal(r.text, &first); err != nil || first.Version == nil {
		return errors.New("it is not what `signet export` writes: its first line is not a header")
	}
	switch v := *first.Version; {
	case v == VersionUnverified && !r.unverified:
		return errors.New("it has no MAC, so edits cannot be detected: an older signet wrote it, or the MAC was removed; " +
			"--unverified reads it all the same, where you know that only you could write to it")
	case v != Version && v != VersionUnverified:
		return fmt.Errorf("it has version %d of the format, and this signet reads version %d; import it with the signet that wrote it or a newer one", v, Version)
	}
	if err := r.parse(&r.Header); err != nil {
		return err
	}
	if f := r.Header.Manifest; f.Install.ID == "" || f.KeyringVersion == 0 || len(f.Keyring) == 0 {
		return errors.New("line 1: the install or its keyring is missing")
	}
	r.sum()
	return nil
}

// sum adds the line to the digest and the MACs.
func (r *Reader) sum() {
	r.digest.Write(r.text)
	for _, mac := range r.macs {
		mac.Write(r.text)
	}
}

// verified reports whether the MAC in the trailer is that of the lines before it under one of the master keys.
func (r *Reader) verified() bool {
	want, err := hex.DecodeString(r.Trailer.MAC)
	return err == nil && slices.ContainsFunc(r.macs, func(mac hash.Hash) bool { return hmac.Equal(mac.Sum(nil), want) })
}

// line is any line but the first.
type line struct {
	store.Record
	Counts *Counts `json:"counts"`
	SHA256 *string `json:"sha256"`
	MAC    string  `json:"mac"`
}

// Next returns the next record, and io.EOF after the last one if everything fits.
func (r *Reader) Next() (store.Record, error) {
	if err := r.readLine(); err != nil {
		return store.Record{}, err
	}
	var l line
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

// end checks the trailer and what comes after it. It returns io.EOF where everything fits.
func (r *Reader) end(l line) error {
	if (l.Record != store.Record{}) || l.Counts == nil || l.SHA256 == nil {
		return r.wrong("it is neither a record nor counts and digest")
	}
	r.Trailer = Trailer{Counts: *l.Counts, SHA256: *l.SHA256, MAC: l.MAC}
	if r.Trailer.SHA256 != hex.EncodeToString(r.digest.Sum(nil)) {
		return r.wrong("the digest is not that of the lines before it: they were damaged or altered")
	}
	if r.Header.Version != VersionUnverified && !r.verified() {
		return r.wrong("the MAC is not that of the lines before it under this master key: they were edited, or another install wrote them")
	}
	if r.Trailer.Counts != r.counts {
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

// Records are the records that Next has not returned yet. The last value may be an error.
func (r *Reader) Records() iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for {
			record, err := r.Next()
			if errors.Is(err, io.EOF) || !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// readLine reads the next line into r.text.
func (r *Reader) readLine() error {
	r.text = r.text[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		r.text = append(r.text, part...)
		switch {
		case len(r.text) > MaxLine:
			return fmt.Errorf("line %d is longer than %d bytes", r.number+1, MaxLine)
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

// parse decodes one JSON value that is the whole line and has only fields of v. After an error the decoder cannot
// go on to the next line.
func (r *Reader) parse(v any) error {
	r.fed -= int64(r.feed.Len()) // the newline before, where the decoder's buffer was full without it
	r.feed.Reset(r.text)
	r.fed += int64(len(r.text))
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

func (r *Reader) wrong(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{r.number}, args...)...)
}
