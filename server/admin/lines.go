package admin

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const maxLine = 64 << 10 // bytes

var errLineTooLong = errors.New("line too long")

// lineReader reads lines of bounded length and counts them.
type lineReader struct {
	in   *bufio.Reader
	line int // number of the line that next returned last
}

// byteOrderMark is in front of files that some editors and spreadsheets write. RFC 8259 §8.1 allows a reader to ignore
// it.
var byteOrderMark = []byte("\xef\xbb\xbf")

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, maxLine)}
}

// next returns the next line that is not blank. The line is valid until the next call. After errLineTooLong the caller
// can go on. io.EOF is an orderly end. After any other error the part of a line that was read is dropped.
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
