package breached

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/FastFilter/xorfilter"
)

// The file, with numbers in big-endian order:
//
//	"signetbl" | version u8 | algorithm u8 | 6 zeros
//	for each filter:  hashes u32 | first u64 | last u64 | seed u64 | segment length u32 | segments u32 | checksum u32 | fingerprints
//	at the end, a filter of no hashes whose first is the number of all
//
// first and last are the first eight bytes of a hash. The checksum (CRC-32C) is of what stands before it in the filter, and of
// the fingerprints.
const (
	magic      = "signetbl"
	version    = 1
	headerSize = 16
	filterHead = 40
	filterKeys = 1 << 18
	maxSegment = 1 << 18 // as the library allows
)

// Algorithm is what the input's hashes were made with.
type Algorithm byte

// The algorithms.
const (
	SHA1 Algorithm = 1
	NTLM Algorithm = 2 // MD4 of the password in UTF-16
)

func (a Algorithm) String() string {
	if a == NTLM {
		return "NTLM"
	}
	return "SHA-1"
}

var errDamaged = errors.New("file of breached passwords is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func header(a Algorithm) []byte {
	return append([]byte(magic), version, byte(a), 0, 0, 0, 0, 0, 0)
}

func parseHeader(b []byte) (Algorithm, error) {
	if len(b) != headerSize || string(b[:len(magic)]) != magic {
		return 0, errors.New("not a file of breached passwords")
	}
	a := Algorithm(b[9])
	if b[8] != version || a != SHA1 && a != NTLM || !bytes.Equal(b, header(a)) {
		return 0, errors.New("a file of breached passwords that this version cannot read")
	}
	return a, nil
}

// section is one filter of the file.
type section struct {
	hashes        uint32
	first, last   uint64
	seed          uint64
	segmentLength uint32
	segments      uint32
	checksum      uint32
	at            int64 // of its fingerprints in the file
}

// size of the fingerprints. The library works with three segments for each hash.
func (s section) size() int64 {
	if s.hashes == 0 {
		return 0
	}
	return (int64(s.segments) + 2) * int64(s.segmentLength)
}

func (s section) head() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, filterHead), s.hashes)
	b = binary.BigEndian.AppendUint64(b, s.first)
	b = binary.BigEndian.AppendUint64(b, s.last)
	b = binary.BigEndian.AppendUint64(b, s.seed)
	b = binary.BigEndian.AppendUint32(b, s.segmentLength)
	return binary.BigEndian.AppendUint32(b, s.segments)
}

func (s section) sum(fingerprints []byte) uint32 {
	return crc32.Update(crc32.Checksum(s.head(), castagnoli), castagnoli, fingerprints)
}

func (s section) encode() []byte { return binary.BigEndian.AppendUint32(s.head(), s.checksum) }

// parseSection reads the head of a filter and checks that the library can work with its numbers.
func parseSection(b []byte, at int64) (section, error) {
	s := section{
		hashes: binary.BigEndian.Uint32(b), first: binary.BigEndian.Uint64(b[4:]), last: binary.BigEndian.Uint64(b[12:]), seed: binary.BigEndian.Uint64(b[20:]),
		segmentLength: binary.BigEndian.Uint32(b[28:]), segments: binary.BigEndian.Uint32(b[32:]), checksum: binary.BigEndian.Uint32(b[36:]), at: at + filterHead,
	}
	switch n := s.segmentLength; {
	case s.hashes == 0:
		if s.checksum != s.sum(nil) {
			return s, errDamaged
		}
	case s.hashes > filterKeys, n == 0, n&(n-1) != 0, n > maxSegment, s.segments == 0, s.size() > 8*filterKeys, s.first > s.last:
		return s, errDamaged
	}
	return s, nil
}

// contains looks for a key among the fingerprints.
func (s section) contains(key uint64, fingerprints []byte) bool {
	f := xorfilter.BinaryFuse[uint8]{Seed: s.seed, SegmentLength: s.segmentLength, SegmentLengthMask: s.segmentLength - 1,
		SegmentCount: s.segments, SegmentCountLength: s.segments * s.segmentLength, Fingerprints: fingerprints}
	return f.Contains(key)
}

// readSections reads the heads of all filters. The last one has no hashes if the file is complete; err is nil, too, if the
// file ends before it, or inside of a filter that is then left out.
func readSections(f io.ReaderAt, size int64) (list []section, complete bool, err error) {
	at := int64(headerSize)
	for at+filterHead <= size {
		b := make([]byte, filterHead)
		if _, err := f.ReadAt(b, at); err != nil {
			return nil, false, err
		}
		s, err := parseSection(b, at)
		if err != nil {
			return nil, false, fmt.Errorf("%w at byte %d", err, at)
		}
		if s.hashes == 0 {
			return list, s.at == size, nil
		}
		if len(list) > 0 && s.first <= list[len(list)-1].last {
			return nil, false, fmt.Errorf("%w at byte %d: not in order", errDamaged, at)
		}
		if at = s.at + s.size(); at <= size {
			list = append(list, s)
		}
	}
	return list, false, nil
}
