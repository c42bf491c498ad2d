package input

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxLine is how long a line may be, in bytes.
const MaxLine = 64 << 10

// ErrLineTooLong is the error for a line of more than MaxLine bytes.
var ErrLineTooLong = errors.New("line too long")

// Lines reads lines of bounded length and counts them.
type Lines struct {
	in    *bufio.Reader
	line  int  // see Number
	begun bool // a line that is not blank was read
}

// byteOrderMark is in front of files that some editors and spreadsheets write. RFC 8259 §8.1 allows a reader to ignore
// it.
var byteOrderMark = []byte("\xef\xbb\xbf")

// NewLines returns a reader of the lines of r.
func NewLines(r io.Reader) *Lines {
	return &Lines{in: bufio.NewReaderSize(r, MaxLine)}
}

// Next returns the next line that is not blank. The line is valid until the next call. After ErrLineTooLong the caller
// can go on. io.EOF is an orderly end. After any other error the part of a line that was read is dropped.
func (l *Lines) Next() ([]byte, error) {
	for {
		line, err := l.in.ReadSlice('\n')
		if err == nil || err == io.EOF && len(line) > 0 {
			l.line++
			if l.line == 1 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			if !l.begun {
				l.begun = true
				return line, notLines(line)
			}
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		l.line++
		if err := l.skip(); err != nil {
			return nil, err
		}
		return nil, ErrLineTooLong
	}
}

// More reports whether the next line is there without waiting for the caller.
func (l *Lines) More() bool {
	here, _ := l.in.Peek(l.in.Buffered())
	return bytes.IndexByte(here, '\n') >= 0
}

// Number returns the number of the line that Next returned last, from 1.
func (l *Lines) Number() int { return l.line }

// notLines returns the error for a body that is no NDJSON at all, of which every line would be refused.
func notLines(first []byte) error {
	switch {
	case bytes.IndexByte(first, 0) >= 0, bytes.HasPrefix(first, []byte("\xff\xfe")), bytes.HasPrefix(first, []byte("\xfe\xff")):
		return Invalid("the body is UTF-16 or binary; send UTF-8, one JSON object a line; nothing was changed")
	case first[0] == '[':
		return Invalid("the body is a JSON array; send one JSON object a line, without brackets and commas around; nothing was changed")
	case bytes.HasPrefix(first, []byte("\x1f\x8b")):
		return Invalid("the body is compressed; send it as it is; nothing was changed")
	}
	return nil
}

// skip reads to the end of the line.
func (l *Lines) skip() error {
	for {
		_, err := l.in.ReadSlice('\n')
		switch {
		case err == nil, err == io.EOF:
			return nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}
