package breached

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //nolint:staticcheck // NTLM is made of it
)

// Filter is a file of breached passwords. It is safe for concurrent use.
type Filter struct {
	algorithm Algorithm
	sections  []section
	hashes    uint64
	file      io.ReaderAt
	close     func() error
	buffers   sync.Pool
}

// IsFilter reports whether a file that begins so is one that Build writes.
func IsFilter(beginning []byte) bool {
	return len(beginning) >= len(magic) && string(beginning[:len(magic)]) == magic
}

// Open opens a file that Build has finished.
func Open(path string) (*Filter, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		var f *Filter
		if f, err = newFilter(file, info.Size()); err == nil {
			f.close = file.Close
			return f, nil
		}
	}
	file.Close()
	return nil, fmt.Errorf("%s: %w", path, err)
}

func newFilter(file io.ReaderAt, size int64) (*Filter, error) {
	head := make([]byte, headerSize)
	if _, err := file.ReadAt(head, 0); err != nil {
		return nil, errors.New("not a file of breached passwords")
	}
	algorithm, err := parseHeader(head)
	if err != nil {
		return nil, err
	}
	sections, complete, err := readSections(file, size)
	if err != nil {
		return nil, err
	}
	if !complete {
		return nil, fmt.Errorf("%w: it has no end", errDamaged)
	}
	f := &Filter{algorithm: algorithm, sections: sections, file: file, buffers: sync.Pool{New: func() any { return new([]byte) }}}
	for _, s := range sections {
		f.hashes += uint64(s.hashes)
	}
	return f, nil
}

// Close closes the file.
func (f *Filter) Close() error { return f.close() }

// Len is the number of hashes in the file.
func (f *Filter) Len() uint64 { return f.hashes }

// Contains reports whether the password, as it is hashed, is in the file. An error means that it is not known.
func (f *Filter) Contains(password string) (bool, error) { return f.containsKey(f.key(password)) }

func (f *Filter) key(password string) uint64 {
	if f.algorithm == NTLM {
		units := utf16.Encode([]rune(password))
		b := make([]byte, 0, 2*len(units))
		for _, u := range units {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		h := md4.New()
		h.Write(b)
		return binary.BigEndian.Uint64(h.Sum(nil))
	}
	sum := sha1.Sum([]byte(password))
	return binary.BigEndian.Uint64(sum[:])
}

func (f *Filter) containsKey(key uint64) (bool, error) {
	i := sort.Search(len(f.sections), func(i int) bool { return f.sections[i].last >= key })
	if i == len(f.sections) || f.sections[i].first > key {
		return false, nil
	}
	s := f.sections[i]
	buffer := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buffer)
	fingerprints, err := s.read(f.file, *buffer)
	if err != nil {
		return false, fmt.Errorf("reading the file of breached passwords: %w", err)
	}
	*buffer = fingerprints
	if s.sum(fingerprints) != s.checksum {
		return false, fmt.Errorf("%w at byte %d", errDamaged, s.at)
	}
	return s.contains(key, fingerprints), nil
}

// read returns the fingerprints, in the buffer if they fit into it.
func (s section) read(f io.ReaderAt, buffer []byte) ([]byte, error) {
	if int64(cap(buffer)) < s.size() {
		buffer = make([]byte, s.size())
	}
	buffer = buffer[:s.size()]
	if _, err := f.ReadAt(buffer, s.at); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buffer, nil
}
