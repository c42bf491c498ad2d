package token

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sealer seals and opens refresh tokens and authorization codes, each kind with keys of its own.
type Sealer struct{ refresh, code *box }

// NewSealer takes one or two 32-byte keys, and the index of the one that seals: that of the master key which all replicas are
// known to have.
func NewSealer(secrets [][32]byte, inUse func() int) (*Sealer, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no refresh token key")
	}
	refresh, err := newBox(secrets, inUse, "refresh token", RefreshPrefix, 4096)
	if err != nil {
		return nil, err
	}
	code, err := newBox(secrets, inUse, "authorization code", CodePrefix, 8192)
	return &Sealer{refresh, code}, err
}

// box seals the contents of one kind of token, with the client id as associated data. The nonce is a MAC of the content (a
// synthetic IV), which XChaCha20's 192 bits make safe: the same content always seals to the same text, and equal texts only ever
// show equal content.
type box struct {
	prefix string
	most   int      // length of a text; no token is as long, and longer ones are not even decoded
	keys   []boxKey // any of them opens
	inUse  func() int
}

const (
	boxFormat     = 1
	boxHeaderSize = 1 + 4 + chacha20poly1305.NonceSizeX // format, key id, nonce
)

type boxKey struct {
	id   [4]byte
	aead func() cipher.AEAD // a function, because package fmt would print the key in it
	macs *sync.Pool         // of HMACs with the key of the nonces
}

func newBox(secrets [][32]byte, inUse func() int, kind, prefix string, most int) (*box, error) {
	b := &box{prefix: prefix, most: most, inUse: inUse}
	for _, secret := range secrets {
		sealing, naming := subkey(secret, kind+" seal"), subkey(secret, kind+" name")
		aead, err := chacha20poly1305.NewX(sealing[:])
		if err != nil {
			return nil, err
		}
		b.keys = append(b.keys, boxKey{id: [4]byte(naming[:4]), aead: func() cipher.AEAD { return aead }, macs: keyedHMACs(subkey(secret, kind+" nonce"))})
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

func (b *box) seal(plain []byte, clientID string) string {
	key := &b.keys[min(b.inUse(), len(b.keys)-1)]
	client := appendText(make([]byte, 0, binary.MaxVarintLen64+len(clientID)), clientID)
	out := make([]byte, 0, boxHeaderSize+len(plain)+chacha20poly1305.Overhead)
	out = append(out, boxFormat)
	out = append(out, key.id[:]...)
	out = key.appendNonce(out, client, plain)
	out = key.aead().Seal(out, out[5:boxHeaderSize], plain, client[len(client)-len(clientID):])
	return string(base64.RawURLEncoding.AppendEncode([]byte(b.prefix), out))
}

func (k *boxKey) appendNonce(out, client, plain []byte) []byte {
	h := k.macs.Get().(hash.Hash)
	defer k.macs.Put(h)
	h.Reset()
	h.Write(client)
	h.Write(plain)
	return h.Sum(out)[:boxHeaderSize]
}

// open reads what seal wrote for the same client.
func (b *box) open(text, clientID string) (plain []byte, ok bool) {
	digits, ok := strings.CutPrefix(text, b.prefix)
	if !ok || len(text) > b.most {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if err != nil || len(raw) < boxHeaderSize || raw[0] != boxFormat {
		return nil, false
	}
	at := slices.IndexFunc(b.keys, func(k boxKey) bool { return k.id == [4]byte(raw[1:5]) })
	if at < 0 || strings.ContainsAny(digits, "\r\n") { // the decoder skips line breaks
		return nil, false
	}
	plain, err = b.keys[at].aead().Open(nil, raw[5:boxHeaderSize], raw[boxHeaderSize:], []byte(clientID))
	return plain, err == nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendList(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// fieldReader reads length-prefixed fields and remembers whether one was cut short.
type fieldReader struct {
	rest []byte
	bad  bool
}

func (r *fieldReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *fieldReader) text() string {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *fieldReader) list() (list []string) {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	for range n {
		list = append(list, r.text())
	}
	return list
}

func (r *fieldReader) id() (id [16]byte) {
	if len(r.rest) < len(id) {
		r.bad, r.rest = true, nil
		return id
	}
	r.rest = r.rest[copy(id[:], r.rest):]
	return id
}
