package input

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzLines: whatever is sent, the reader ends, and what it returns is a line of what was sent.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "\n", "a", "a\nb", "\r\n a \r\n", "\xef\xbb\xbfa\n", "[", "\x00", strings.Repeat("x", MaxLine) + "y\nz", strings.Repeat(" ", MaxLine+1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		all := bytes.Split(bytes.TrimPrefix(sent, byteOrderMark), []byte("\n"))
		lines := NewLines(bytes.NewReader(sent))
		for last := 0; ; last = lines.Number() {
			line, err := lines.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if lines.Number() <= last || lines.Number() > len(all) {
				t.Fatalf("line %d comes after line %d of %d", lines.Number(), last, len(all))
			}
			want := bytes.TrimSpace(all[lines.Number()-1])
			switch {
			case errors.Is(err, ErrLineTooLong):
				if len(all[lines.Number()-1]) < MaxLine {
					t.Fatalf("line %d has %d bytes and is too long", lines.Number(), len(want))
				}
			case !bytes.Equal(line, want) || len(line) == 0:
				t.Fatalf("line %d: got %q, want %q", lines.Number(), line, want)
			case err != nil:
				return // it is no NDJSON
			}
		}
	})
}
