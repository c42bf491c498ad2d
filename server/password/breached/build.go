package breached

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/FastFilter/xorfilter"
)

// Built is what Build has done.
type Built struct {
	Algorithm Algorithm
	Hashes    uint64 // different ones in the file
	Lines     uint64 // that were read
	Resumed   uint64 // hashes that an earlier run had written, and that are in this input
	Bytes     int64  // size of the file
}

// partialSuffix is behind the name of an unfinished file.
const partialSuffix = ".partial"

// Build writes the file at path from lines of "HASH:count" that are sorted by hash: 40 hexadecimal digits of SHA-1 or 32 of NTLM.
// The count may be missing, and is not used. If an earlier run was broken off, the filters that it has written are kept as far as
// they have the hashes of this input. progress, if not nil, is called now and then with the number of lines.
func Build(in io.Reader, path string, progress func(lines uint64)) (Built, error) {
	return buildFilters(in, path, filterKeys, progress)
}

// buildFilters is Build with filters of size keys. All but the last of a file have as many.
func buildFilters(in io.Reader, path string, size int, progress func(lines uint64)) (Built, error) {
	b := &builder{lines: bufio.NewReaderSize(in, 1<<20), path: path + partialSuffix, progress: progress, keys: make([]uint64, 0, size)}
	err := b.run()
	if b.file != nil {
		err = errors.Join(err, b.file.Close())
	}
	if err != nil {
		return b.built, err
	}
	return b.built, publish(b.path, path)
}

// publish gives the finished file its name, so that it is there whole or not at all.
func publish(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

type builder struct {
	lines    *bufio.Reader
	path     string
	progress func(uint64)

	file    *os.File
	built   Built
	earlier []section // of an earlier run, of which the input has not come to the end yet
	keys    []uint64  // of the next filter; its capacity is the size of a filter
	last    uint64    // key of the line before
	fuse    xorfilter.BinaryFuseBuilder
}

func (b *builder) run() error {
	for {
		line, err := b.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return b.refuse("is longer than any hash")
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading hashes: %w", err)
		}
		if len(line) > 0 {
			if err := b.line(line); err != nil {
				return err
			}
		}
		if err != nil {
			break
		}
	}
	if b.built.Lines == 0 {
		return errors.New("the input is empty")
	}
	if err := b.flush(); err != nil {
		return err
	}
	end := section{first: b.built.Hashes}
	end.checksum = end.sum(nil)
	if err := b.append(end.encode()); err != nil {
		return err
	}
	return b.file.Sync()
}

func (b *builder) refuse(format string, args ...any) error {
	return fmt.Errorf("line %d "+format, append([]any{b.built.Lines + 1}, args...)...)
}

// line reads "HASH:count".
func (b *builder) line(line []byte) error {
	digits := 0
	for digits < len(line) && isHex(line[digits]) {
		digits++
	}
	if end := line[digits:]; len(end) > 0 && end[0] != ':' && end[0] != '\r' && end[0] != '\n' {
		digits = 0
	}
	algorithm := SHA1
	switch digits {
	case 40:
	case 32:
		algorithm = NTLM
	default:
		return b.refuse("is not HASH:count with 40 (SHA-1) or 32 (NTLM) hexadecimal digits")
	}
	var key [8]byte
	if _, err := hex.Decode(key[:], line[:16]); err != nil {
		return b.refuse("has no hexadecimal digits")
	}
	n := beUint64(key)
	if b.file == nil {
		if err := b.open(algorithm); err != nil {
			return err
		}
	}
	switch {
	case algorithm != b.built.Algorithm:
		return b.refuse("has another kind of hash than the lines before, or than the unfinished %s", b.path)
	case n < b.last:
		return b.refuse("is not in order: the input must be sorted by hash")
	}
	b.built.Lines++
	if b.progress != nil && b.built.Lines%(1<<16) == 0 {
		b.progress(b.built.Lines)
	}
	again := n == b.last && b.built.Lines > 1
	b.last = n
	if again {
		return nil
	}
	b.keys = append(b.keys, n)
	if len(b.keys) == cap(b.keys) {
		return b.flush()
	}
	return nil
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func beUint64(b [8]byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// open makes the unfinished file, or finds what an earlier run has written of it.
func (b *builder) open(a Algorithm) (err error) {
	if b.file, err = os.OpenFile(b.path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	b.built.Algorithm, b.built.Bytes = a, headerSize
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	if size := info.Size(); size >= headerSize {
		if err := b.resume(size); err != nil {
			return fmt.Errorf("%s: %w; delete it to begin again", b.path, err)
		}
	}
	_, err = b.file.WriteAt(header(b.built.Algorithm), 0)
	return err
}

// resume finds the filters of an earlier run.
func (b *builder) resume(size int64) (err error) {
	head := make([]byte, headerSize)
	if _, err := b.file.ReadAt(head, 0); err != nil {
		return err
	}
	if b.built.Algorithm, err = parseHeader(head); err != nil {
		return err
	}
	b.earlier, _, err = readSections(b.file, size)
	return err
}

// flush writes a filter of the hashes so far, unless an earlier run has.
func (b *builder) flush() error {
	if len(b.keys) == 0 {
		return nil
	}
	hashes := uint64(len(b.keys))
	if b.written() {
		b.built.Bytes += filterHead + b.earlier[0].size()
		b.earlier = b.earlier[1:]
		b.built.Resumed += hashes
	} else if err := b.write(); err != nil {
		return err
	}
	b.built.Hashes += hashes
	b.keys = b.keys[:0]
	return nil
}

// written reports whether the next filter of the earlier run is whole and of these hashes. Each is looked up, because the
// earlier run may have had another input. One that is found by mistake is found in the finished file all the same.
func (b *builder) written() bool {
	if len(b.earlier) == 0 {
		return false
	}
	s := b.earlier[0]
	if int(s.hashes) != len(b.keys) || s.first != b.keys[0] || s.last != b.keys[len(b.keys)-1] {
		return false
	}
	fingerprints, err := s.read(b.file, nil)
	if err != nil || s.sum(fingerprints) != s.checksum { // cut in the middle of a page by a loss of power
		return false
	}
	return !slices.ContainsFunc(b.keys, func(key uint64) bool { return !s.contains(key, fingerprints) })
}

// write appends a filter of the hashes so far. Nothing of the earlier run is left behind it.
func (b *builder) write() error {
	s := section{hashes: uint32(len(b.keys)), first: b.keys[0], last: b.keys[len(b.keys)-1]}
	f, err := xorfilter.BuildBinaryFuse[uint8](&b.fuse, b.keys)
	if err != nil {
		return fmt.Errorf("making a filter: %w", err)
	}
	s.seed, s.segmentLength, s.segments = f.Seed, f.SegmentLength, f.SegmentCount
	if int64(len(f.Fingerprints)) != s.size() {
		return errors.New("the filter has another size than this format has room for")
	}
	s.checksum = s.sum(f.Fingerprints)
	return b.append(s.encode(), f.Fingerprints)
}

// append writes at the end of what is known to be right, and drops what the file has behind it.
func (b *builder) append(parts ...[]byte) error {
	b.earlier = nil
	if err := b.file.Truncate(b.built.Bytes); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := b.file.WriteAt(part, b.built.Bytes); err != nil {
			return err
		}
		b.built.Bytes += int64(len(part))
	}
	return nil
}
