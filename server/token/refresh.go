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
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"signet/store"
)

// Refresh is the content of a refresh token: the session, the generation, and the facts that do not change while
// the session lives. It is sealed with the client id as associated data, so a token of another client, or a forged
// one, does not open and costs the store nothing.
type Refresh struct {
	UserID     store.UserID
	SessionID  store.SessionID
	Generation uint32
	AuthTime   time.Time // whole milliseconds
	Scope      string    // as granted at the login
	Audience   []string  // as granted at the login; empty: the server's default, whatever it is
}

const (
	// RefreshPrefix lets secret scanners spot a token that leaked.
	RefreshPrefix = "signet_rt_"
	// maxRefresh is far above any token sealed here; longer input is not even decoded.
	maxRefresh = 4096

	refreshFormat     = 1
	refreshHeaderSize = 1 + 4 + chacha20poly1305.NonceSizeX // format, key id, nonce
)

// ErrNotRefresh is text that is no refresh token of the client.
var ErrNotRefresh = errors.New("not a refresh token of this client")

// Sealer seals and opens refresh tokens. The same token always seals to the same
// string: that is how a retry inside the grace window gets the same successor although nothing that
// could be replayed is stored. The nonce is therefore a MAC of the content (a synthetic IV), which
// XChaCha20's 192 bits make safe; equal strings only ever show equal content.
type Sealer struct {
	keys  []refreshKey // any of them opens
	inUse func() int   // the index of the one that seals
}

type refreshKey struct {
	id   [4]byte
	aead func() cipher.AEAD // a function, because package fmt would print the key in it
	macs *sync.Pool         // of HMACs with the key of the nonces
}

// NewSealer takes one or two 32-byte keys, and the index of the one that seals: that of the
// master key which all replicas are known to have.
func NewSealer(secrets [][32]byte, inUse func() int) (*Sealer, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no refresh token key")
	}
	s := &Sealer{inUse: inUse}
	for _, secret := range secrets {
		sealing, naming := subkey(secret, "seal"), subkey(secret, "name")
		aead, err := chacha20poly1305.NewX(sealing[:])
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, refreshKey{id: [4]byte(naming[:4]), aead: func() cipher.AEAD { return aead }, macs: keyedHMACs(subkey(secret, "nonce"))})
	}
	return s, nil
}

// keyedHMACs returns a pool of HMACs with the key. Using one again costs half as much as making one.
func keyedHMACs(key [32]byte) *sync.Pool {
	return &sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}
}

func subkey(secret [32]byte, purpose string) [32]byte {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("signet refresh token " + purpose))
	return [32]byte(mac.Sum(nil))
}

// Seal writes t for the client.
func (s *Sealer) Seal(t Refresh, clientID string) string {
	key := &s.keys[min(s.inUse(), len(s.keys)-1)]
	content := appendText(make([]byte, 0, 160+len(clientID)+len(t.Scope)), clientID)
	plain := len(content)
	content = t.appendTo(content)
	out := make([]byte, 0, refreshHeaderSize+len(content)+chacha20poly1305.Overhead)
	out = append(out, refreshFormat)
	out = append(out, key.id[:]...)
	out = append(out, key.mac(content)[:chacha20poly1305.NonceSizeX]...)
	out = key.aead().Seal(out, out[5:refreshHeaderSize], content[plain:], []byte(clientID))
	return string(base64.RawURLEncoding.AppendEncode([]byte(RefreshPrefix), out))
}

// mac may use the capacity that content has left.
func (k *refreshKey) mac(content []byte) []byte {
	h := k.macs.Get().(hash.Hash)
	defer k.macs.Put(h)
	h.Reset()
	h.Write(content)
	return h.Sum(content)[len(content):]
}

// Open reads a token that Seal wrote for the same client; anything else is ErrNotRefresh.
func (s *Sealer) Open(token, clientID string) (Refresh, error) {
	digits, ok := strings.CutPrefix(token, RefreshPrefix)
	if !ok || len(token) > maxRefresh {
		return Refresh{}, ErrNotRefresh
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if err != nil || len(raw) < refreshHeaderSize || raw[0] != refreshFormat {
		return Refresh{}, ErrNotRefresh
	}
	at := slices.IndexFunc(s.keys, func(k refreshKey) bool { return k.id == [4]byte(raw[1:5]) })
	if at < 0 || strings.ContainsAny(digits, "\r\n") { // the decoder skips line breaks
		return Refresh{}, ErrNotRefresh
	}
	plain, err := s.keys[at].aead().Open(nil, raw[5:refreshHeaderSize], raw[refreshHeaderSize:], []byte(clientID))
	if err != nil {
		return Refresh{}, ErrNotRefresh
	}
	return decodeRefresh(plain)
}

func (t Refresh) appendTo(b []byte) []byte {
	b = append(b, t.UserID[:]...)
	b = append(b, t.SessionID[:]...)
	b = binary.AppendUvarint(b, uint64(t.Generation))
	b = binary.AppendUvarint(b, uint64(t.AuthTime.UnixMilli()))
	b = appendText(b, t.Scope)
	b = binary.AppendUvarint(b, uint64(len(t.Audience)))
	for _, aud := range t.Audience {
		b = appendText(b, aud)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func decodeRefresh(b []byte) (Refresh, error) {
	var t Refresh
	if len(b) < len(t.UserID)+len(t.SessionID) {
		return Refresh{}, ErrNotRefresh
	}
	b = b[copy(t.UserID[:], b):]
	b = b[copy(t.SessionID[:], b):]
	r := fieldReader{rest: b}
	generation := r.number()
	t.Generation = uint32(generation)
	t.AuthTime = time.UnixMilli(int64(r.number())).UTC()
	t.Scope = r.text()
	for range min(r.number(), uint64(len(r.rest))) {
		t.Audience = append(t.Audience, r.text())
	}
	if r.bad || len(r.rest) > 0 || generation > 1<<32-1 {
		return Refresh{}, ErrNotRefresh
	}
	return t, nil
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
