package admin

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const maxLine = 64 << 10

var errLineTooLong = errors.New("line too long")

// lineReader reads lines of bounded length and counts them.
type lineReader struct {
	in   *bufio.Reader
	line int // of what next returned last
}

// byteOrderMark may be in front of a file that an editor or a spreadsheet has written. RFC 8259 §8.1
// allows to ignore it.
var byteOrderMark = []byte("\xef\xbb\xbf")

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, maxLine)}
}

// next returns the next line that is not blank; it is good until the next call. After errLineTooLong
// one goes on; io.EOF is an orderly end, any other error is not, and its piece of a line is dropped.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.in.ReadSlice('\n')
		if err == nil || err == io.EOF && len(line) > 0 {
			l.line++
			if l.line == 1 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			if line = bytes.TrimSpace(line); len(line) > 0 {
				return line, nil
			}
			continue
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		l.line++
		if err := l.skip(); err != nil {
			return nil, err
		}
		return nil, errLineTooLong
	}
}

// skip reads to the end of the line.
func (l *lineReader) skip() error {
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
