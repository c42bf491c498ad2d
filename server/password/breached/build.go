package breached

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/FastFilter/xorfilter"
)

// Built is what Build has done.
type Built struct {
	Algorithm Algorithm
	Hashes    uint64 // different ones in the file
	Lines     uint64 // that were read
	Resumed   uint64 // hashes that an earlier run had written
	Bytes     int64  // size of the file
}

// partialSuffix is behind the name of an unfinished file.
const partialSuffix = ".partial"

// Build writes the file at path from lines of "HASH:count" that are sorted by hash: 40 hexadecimal digits of SHA-1 or 32 of NTLM.
// The count may be missing, and is not used. If an earlier run with the same input was broken off, it goes on behind what
// that has written. progress, if not nil, is called now and then with the number of lines.
func Build(in io.Reader, path string, progress func(lines uint64)) (Built, error) {
	b := &builder{lines: bufio.NewReaderSize(in, 1<<20), path: path + partialSuffix, progress: progress, keys: make([]uint64, 0, filterKeys)}
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

	file  *os.File
	built Built
	after uint64 // the last key that an earlier run has written
	keys  []uint64
	last  uint64 // key of the line before
	fuse  xorfilter.BinaryFuseBuilder
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
	if _, err := b.file.Write(end.encode()); err != nil {
		return err
	}
	b.built.Bytes += filterHead
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
	if again || b.built.Resumed > 0 && n <= b.after {
		return nil
	}
	b.keys = append(b.keys, n)
	if len(b.keys) == filterKeys {
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
	if info.Size() >= headerSize {
		if err := b.resume(info.Size()); err != nil {
			return fmt.Errorf("%s: %w; delete it to begin again", b.path, err)
		}
	}
	if err := b.file.Truncate(b.built.Bytes); err != nil {
		return err
	}
	if _, err := b.file.WriteAt(header(b.built.Algorithm), 0); err != nil {
		return err
	}
	_, err = b.file.Seek(b.built.Bytes, io.SeekStart)
	return err
}

// resume keeps the whole filters of an earlier run.
func (b *builder) resume(size int64) error {
	head := make([]byte, headerSize)
	if _, err := b.file.ReadAt(head, 0); err != nil {
		return err
	}
	var err error
	if b.built.Algorithm, err = parseHeader(head); err != nil {
		return err
	}
	list, _, err := readSections(b.file, size)
	if err != nil {
		return err
	}
	for len(list) > 0 { // the last one may have been cut in the middle of a page by a loss of power
		last := list[len(list)-1]
		if fingerprints, err := last.read(b.file, nil); err == nil && last.hashes == filterKeys && last.sum(fingerprints) == last.checksum {
			break
		}
		list = list[:len(list)-1]
	}
	for _, s := range list {
		b.built.Hashes += uint64(s.hashes)
		b.after, b.built.Bytes = s.last, s.at+s.size()
	}
	b.built.Resumed = b.built.Hashes
	return nil
}

// flush writes a filter of the hashes so far.
func (b *builder) flush() error {
	if len(b.keys) == 0 {
		return nil
	}
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
	for _, part := range [][]byte{s.encode(), f.Fingerprints} {
		if _, err := b.file.Write(part); err != nil {
			return err
		}
		b.built.Bytes += int64(len(part))
	}
	b.built.Hashes += uint64(len(b.keys))
	b.keys = b.keys[:0]
	return nil
}
