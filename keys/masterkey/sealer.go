package masterkey

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

var (
	// ErrMismatch: the document does not open: another master key, another install, or a forged or
	// renumbered document.
	ErrMismatch = errors.New("the keyring does not open with this master key and install id")

	// ErrFormat: the document is not a keyring, or was written by a newer Signet.
	ErrFormat = errors.New("the keyring is in a format this version does not read")
)

// A sealed document is magic, format, hint, nonce and ciphertext. The hint names the master key, so
// that an error can name the one that is missing. Everything before the nonce, the install id and the
// version are associated data of the ciphertext: a document that was forged, brought from another
// install or given another version number does not open.
const (
	magic    = "SGKR"
	headSize = len(magic) + 1 + hintSize
)

// The formats. A reader refuses a document of an unknown format before it opens it.
const (
	FormatLocal  byte = 1 // every private key is in the document
	FormatRemote byte = 2 // some private keys are elsewhere
)

// Sealer seals and opens the keyring of one install. It opens with each of its keys.
type Sealer struct {
	installID string
	keys      []sealKey
}

type sealKey struct {
	hint [hintSize]byte
	aead func() cipher.AEAD // a function, because package fmt would print the key in it
}

// NewSealer returns a Sealer for the install with these master keys.
func NewSealer(installID string, master []Key) (*Sealer, error) {
	s := &Sealer{installID: installID}
	for _, m := range master {
		wrap := m.Derive("signet keyring v1 seal")
		aead, err := chacha20poly1305.NewX(wrap[:]) // its nonce is long enough to be random for ever
		if err != nil {
			return nil, fmt.Errorf("preparing the keyring's cipher: %w", err)
		}
		s.keys = append(s.keys, sealKey{m.hint(), func() cipher.AEAD { return aead }})
	}
	return s, nil
}

// Hints returns the hints of the master keys, in their order.
func (s *Sealer) Hints() []string {
	var hints []string
	for _, k := range s.keys {
		hints = append(hints, hex.EncodeToString(k.hint[:]))
	}
	return hints
}

// KeyOf returns the index of the master key that the document is sealed with; 0 if it is none of these.
func (s *Sealer) KeyOf(document []byte) int {
	if len(document) < headSize {
		return 0
	}
	hint := [hintSize]byte(document[headSize-hintSize : headSize])
	return max(0, slices.IndexFunc(s.keys, func(k sealKey) bool { return k.hint == hint }))
}

// Seal returns the document of that format and version, sealed with the master key of that index.
func (s *Sealer) Seal(version uint64, format byte, plain []byte, key int) []byte {
	k := s.keys[key]
	document := append([]byte(magic), format)
	document = append(document, k.hint[:]...)
	bound := s.associatedData(document, version)
	nonce := make([]byte, k.aead().NonceSize())
	rand.Read(nonce)
	document = append(document, nonce...)
	return k.aead().Seal(document, nonce, plain, bound)
}

// Open returns what was sealed as this version, and its format. The error is ErrMismatch or ErrFormat.
func (s *Sealer) Open(version uint64, document []byte) (plain []byte, format byte, err error) {
	if len(document) < headSize || string(document[:len(magic)]) != magic {
		return nil, 0, fmt.Errorf("%w: version %d is not a keyring document", ErrMismatch, version)
	}
	format = document[len(magic)]
	if format < FormatLocal || format > FormatRemote {
		return nil, 0, fmt.Errorf("%w: format %d, want %d to %d", ErrFormat, format, FormatLocal, FormatRemote)
	}
	head, rest := document[:headSize], document[headSize:]
	hint := [hintSize]byte(head[headSize-hintSize:])
	for _, k := range s.keys {
		if k.hint != hint || len(rest) < k.aead().NonceSize() {
			continue
		}
		nonce, ciphertext := rest[:k.aead().NonceSize()], rest[k.aead().NonceSize():]
		plain, err := k.aead().Open(nil, nonce, ciphertext, s.associatedData(head, version))
		if err != nil {
			return nil, 0, fmt.Errorf("%w: version %d was forged, renumbered or made for another install than %q", ErrMismatch, version, s.installID)
		}
		return plain, format, nil
	}
	return nil, 0, fmt.Errorf("%w: version %d is sealed with master key %s", ErrMismatch, version, hex.EncodeToString(hint[:]))
}

func (s *Sealer) associatedData(head []byte, version uint64) []byte {
	out := append([]byte(nil), head...)
	out = binary.BigEndian.AppendUint64(out, version)
	return append(out, s.installID...)
}
