package usertable

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// input is the text of a file, in UTF-8. It ends with an error where one record is too long: the structure of the file
// is lost then, and all of it would be read into memory.
type input struct {
	*bufio.Reader
	guard     *guard
	converted bool // from UTF-16
	skipped   int  // line ends in front of the first record
}

// guard counts what was read since the last record.
type guard struct {
	in    io.Reader
	since int
}

var errRecordTooLong = fmt.Errorf("a record is longer than %d KiB: is there a quote or a bracket that is not closed", maxRecord>>10)

func (g *guard) Read(p []byte) (int, error) {
	if g.since > maxRecord {
		return 0, errRecordTooLong
	}
	n, err := g.in.Read(p)
	g.since += n
	return n, err
}

// openInput opens plain text or gzip, with or without a byte order mark.
func openInput(in io.Reader) (*input, error) {
	raw := bufio.NewReaderSize(in, 64<<10)
	start, err := raw.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the users: %w", err)
	}
	if bytes.HasPrefix(start, []byte("\x1f\x8b")) {
		unpacked, err := gzip.NewReader(raw)
		if err != nil {
			return nil, gzipError(err)
		}
		raw = bufio.NewReaderSize(unpack{unpacked}, 64<<10)
		if start, err = raw.Peek(6); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	text := &input{}
	var plain io.Reader = raw
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, _ = raw.Discard(3)
	case bytes.HasPrefix(start, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(start, []byte("\x00\x00\xfe\xff")):
		return nil, errors.New("the file is in UTF-32; convert it to UTF-8 first: `iconv -f UTF-32 -t UTF-8`")
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		plain, text.converted = transform.NewReader(raw, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()), true
	case bytes.IndexByte(start, 0) >= 0:
		return nil, errors.New("the file is in UTF-16 without a byte order mark, or is no text; convert it to UTF-8 first: `iconv -f UTF-16LE -t UTF-8`")
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return nil, errors.New("the file is a zip archive or a spreadsheet; unpack it, or save it as CSV")
	case bytes.HasPrefix(start, []byte("BZh")), bytes.HasPrefix(start, []byte("\x28\xb5\x2f\xfd")), bytes.HasPrefix(start, []byte("\xfd7zXZ")):
		return nil, errors.New("the file is compressed, and not with gzip; unpack it first")
	}
	text.guard = &guard{in: plain}
	text.Reader = bufio.NewReaderSize(text.guard, 4<<10)
	if _, err := text.Peek(1); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	} else if err != nil {
		return nil, fmt.Errorf("reading the users: %w", err)
	}
	return text, nil
}

// unpack is a gzip file whose errors are about it and not about the text in it.
type unpack struct{ *gzip.Reader }

func (u unpack) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	return n, gzipError(err)
}

var (
	errGzipCut     = errors.New("the gzip file is cut: it ends before its end")
	errGzipDamaged = errors.New("the gzip file is damaged")
)

func gzipError(err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errGzipCut
	case corrupt, errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return errGzipDamaged
	}
	return err
}

// notUTF8 is the error about a place whose text is not UTF-8.
func notUTF8(place string) error {
	return fmt.Errorf("%s is not UTF-8. If the file is in Latin-1 or Windows-1252, convert it first: `iconv -f WINDOWS-1252 -t UTF-8`", place)
}

// recordEnds notes that a record was read to its end.
func (in *input) recordEnds() { in.guard.since = 0 }

// firstByte returns the first byte that is no white space, or 0.
func (in *input) firstByte() byte {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0
		}
		switch b {
		case '\n':
			in.skipped++
		case ' ', '\t', '\r':
		default:
			_ = in.UnreadByte()
			return b
		}
	}
}

// start returns the beginning of the file, behind white space.
func (in *input) start() []byte {
	in.firstByte()
	start, _ := in.Peek(in.Size())
	return start
}
