package password

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Blocklist is a set of breached passwords. It keeps eight bytes for each, so that a list of
// millions fits in memory and the passwords themselves do not lie in it; among 10⁹ entries a
// password that is not in the list is found with probability 10⁻¹⁰.
type Blocklist struct {
	prints []uint64 // sorted
}

// LoadBlocklist reads one password a line, compared without regard to case. Lines that no policy
// would accept anyhow (too short, too long, not text) are left out.
func LoadBlocklist(r io.Reader) (*Blocklist, error) {
	var b Blocklist
	lines := bufio.NewReaderSize(r, maxRaw+2)
	if mark, _ := lines.Peek(3); string(mark) == "\xef\xbb\xbf" { // a byte order mark is no part of the first password
		_, _ = lines.Discard(len(mark))
	}
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 && !errors.Is(err, bufio.ErrBufferFull) {
			b.add(strings.TrimRight(string(line), "\r\n"))
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = skipLine(lines)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading blocklist: %w", err)
		}
	}
	slices.Sort(b.prints)
	b.prints = slices.Compact(b.prints)
	return &b, nil
}

func skipLine(r *bufio.Reader) error {
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func (b *Blocklist) add(line string) {
	text, err := normalizeWithin(line)
	if err != nil || utf8.RuneCountInString(text) < leastMinLength {
		return
	}
	b.prints = append(b.prints, fingerprint(text))
}

// Len is the number of passwords in the list.
func (b *Blocklist) Len() int {
	if b == nil {
		return 0
	}
	return len(b.prints)
}

// Contains reports whether the normalised password is in the list. A nil list is empty.
func (b *Blocklist) Contains(password string) bool {
	if b == nil {
		return false
	}
	_, found := slices.BinarySearch(b.prints, fingerprint(password))
	return found
}

func fingerprint(text string) uint64 {
	sum := sha256.Sum256([]byte(strings.ToLower(text)))
	return binary.BigEndian.Uint64(sum[:])
}
