package keys

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed document is magic, format, hint, nonce and ciphertext. The hint names the master key, so
// that an error can say which one is missing. All that comes before the nonce, the install id and
// the version are bound to the ciphertext: a document that was forged, brought from another install
// or given another version number does not open.
const (
	sealMagic = "SGKR"
	hintSize  = 8
	headSize  = len(sealMagic) + 1 + hintSize
)

// The formats. A reader that does not know one refuses the document before it opens it.
const (
	sealLocal  = 1 // every key is in the document
	sealRemote = 2 // some keys are elsewhere
)

// sealer opens with any of its keys, and seals with the one it is told to use.
type sealer struct {
	installID string
	keys      []sealKey
}

type sealKey struct {
	hint [hintSize]byte
	aead func() cipher.AEAD // a function, because package fmt would print the key in it
}

func newSealer(installID string, master []MasterKey) (*sealer, error) {
	s := &sealer{installID: installID}
	for _, m := range master {
		hint, wrap := m.Derive("signet keyring v1 hint"), m.Derive("signet keyring v1 seal")
		aead, err := chacha20poly1305.NewX(wrap[:]) // its nonce is long enough to be random for ever
		if err != nil {
			return nil, fmt.Errorf("preparing the keyring's cipher: %w", err)
		}
		s.keys = append(s.keys, sealKey{[hintSize]byte(hint[:hintSize]), func() cipher.AEAD { return aead }})
	}
	return s, nil
}

// name is the hint as errors and heartbeats spell it.
func (k sealKey) name() string { return hex.EncodeToString(k.hint[:]) }

// keyOf is the index of the key that the document is sealed with; 0 where it is not one of ours.
func (s *sealer) keyOf(document []byte) int {
	if len(document) < headSize {
		return 0
	}
	hint := [hintSize]byte(document[headSize-hintSize : headSize])
	return max(0, slices.IndexFunc(s.keys, func(k sealKey) bool { return k.hint == hint }))
}

// seal returns the document of that format for this version, sealed with that key.
func (s *sealer) seal(version uint64, format byte, plain []byte, key int) []byte {
	k := s.keys[key]
	document := append([]byte(sealMagic), format)
	document = append(document, k.hint[:]...)
	bound := s.bound(document, version)
	nonce := make([]byte, k.aead().NonceSize())
	rand.Read(nonce)
	document = append(document, nonce...)
	return k.aead().Seal(document, nonce, plain, bound)
}

// open returns what was sealed as this version, or ErrMasterKey or ErrFormat.
func (s *sealer) open(version uint64, document []byte) ([]byte, error) {
	if len(document) < headSize || string(document[:len(sealMagic)]) != sealMagic {
		return nil, fmt.Errorf("%w: version %d is not a keyring document", ErrMasterKey, version)
	}
	if format := document[len(sealMagic)]; format < sealLocal || format > sealRemote {
		return nil, fmt.Errorf("%w: format %d, want %d to %d", ErrFormat, format, sealLocal, sealRemote)
	}
	head, rest := document[:headSize], document[headSize:]
	hint := [hintSize]byte(head[headSize-hintSize:])
	for _, k := range s.keys {
		if k.hint != hint || len(rest) < k.aead().NonceSize() {
			continue
		}
		nonce, ciphertext := rest[:k.aead().NonceSize()], rest[k.aead().NonceSize():]
		plain, err := k.aead().Open(nil, nonce, ciphertext, s.bound(head, version))
		if err != nil {
			return nil, fmt.Errorf("%w: version %d was forged, renumbered or made for another install than %q", ErrMasterKey, version, s.installID)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("%w: version %d is sealed with master key %s", ErrMasterKey, version, hex.EncodeToString(hint[:]))
}

// bound is the associated data.
func (s *sealer) bound(head []byte, version uint64) []byte {
	out := append([]byte(nil), head...)
	out = binary.BigEndian.AppendUint64(out, version)
	return append(out, s.installID...)
}
