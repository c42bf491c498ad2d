// Package sealed makes strings of ours that travel through the hands of others: refresh tokens, authorization codes, the state of a
// login in a form, the cookie of a browser. Nothing of them is stored. Each purpose has keys of its own, so that what was sealed
// for one does not open for another.
package sealed

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// Box seals for one purpose. The nonce is a MAC of the content (a synthetic IV), which XChaCha20's 192 bits make safe: the same
// content always seals to the same text, and equal texts only ever show equal content.
type Box struct {
	prefix string
	most   int
	keys   []key // any of them opens
	inUse  func() int
}

const (
	format     = 1
	headerSize = 1 + 4 + chacha20poly1305.NonceSizeX // format, key id, nonce
)

// key is one key of a Box.
type key struct {
	id   [4]byte
	aead func() cipher.AEAD // a function, because package fmt would print the key in it
	macs *sync.Pool         // of HMACs with the key of the nonces
}

// New returns a Box for a purpose, whose texts begin with prefix and have at most `most` bytes; longer ones are not even decoded.
// It takes the 32-byte keys of the master keys, in their order, and the index of the one that seals: that of the master key which
// all replicas are known to have.
func New(secrets [][32]byte, inUse func() int, purpose, prefix string, most int) (*Box, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no key to seal with")
	}
	b := &Box{prefix: prefix, most: most, inUse: inUse}
	for _, secret := range secrets {
		sealing, naming := subkey(secret, purpose+" seal"), subkey(secret, purpose+" name")
		aead, err := chacha20poly1305.NewX(sealing[:])
		if err != nil {
			return nil, err
		}
		b.keys = append(b.keys, key{id: [4]byte(naming[:4]), aead: func() cipher.AEAD { return aead }, macs: keyedHMACs(subkey(secret, purpose+" nonce"))})
	}
	return b, nil
}

// keyedHMACs returns a pool of HMACs with the key. Using one again costs half as much as making one.
func keyedHMACs(key [32]byte) *sync.Pool {
	return &sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}
}

func subkey(secret [32]byte, purpose string) [32]byte {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("signet " + purpose))
	return [32]byte(mac.Sum(nil))
}

// Seal seals a content for whom it is bound to, such as a client id.
func (b *Box) Seal(plain []byte, bound string) string {
	k := &b.keys[min(b.inUse(), len(b.keys)-1)]
	context := append(binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(bound)), uint64(len(bound))), bound...)
	out := make([]byte, 0, headerSize+len(plain)+chacha20poly1305.Overhead)
	out = append(out, format)
	out = append(out, k.id[:]...)
	out = k.appendNonce(out, context, plain)
	out = k.aead().Seal(out, out[5:headerSize], plain, context[len(context)-len(bound):])
	return string(base64.RawURLEncoding.AppendEncode([]byte(b.prefix), out))
}

func (k *key) appendNonce(out, context, plain []byte) []byte {
	h := k.macs.Get().(hash.Hash)
	defer k.macs.Put(h)
	h.Reset()
	h.Write(context)
	h.Write(plain)
	return h.Sum(out)[:headerSize]
}

// Open reads what Seal wrote with the same binding.
func (b *Box) Open(text, bound string) (plain []byte, ok bool) {
	digits, ok := strings.CutPrefix(text, b.prefix)
	if !ok || len(text) > b.most {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if err != nil || len(raw) < headerSize || raw[0] != format {
		return nil, false
	}
	at := slices.IndexFunc(b.keys, func(k key) bool { return k.id == [4]byte(raw[1:5]) })
	if at < 0 || strings.ContainsAny(digits, "\r\n") { // the decoder skips line breaks
		return nil, false
	}
	plain, err = b.keys[at].aead().Open(nil, raw[5:headerSize], raw[headerSize:], []byte(bound))
	return plain, err == nil
}

// SealJSON seals v, a struct of plain types, as JSON.
func (b *Box) SealJSON(v any, bound string) string {
	plain, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sealing %T: %v", v, err)) // a bug: its type always encodes
	}
	return b.Seal(plain, bound)
}

// OpenJSON reads what SealJSON wrote with the same binding into v. What v holds after false is of no meaning.
func (b *Box) OpenJSON(text, bound string, v any) bool {
	plain, ok := b.Open(text, bound)
	return ok && json.Unmarshal(plain, v) == nil
}
