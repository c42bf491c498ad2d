// Package keyset renders a keyring as requests need it: the JWK Set that is served, the keys that sign, and those that
// verify. A Set is never changed; another takes its place when a time of the timetable has come.
package keyset

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"signet/keys/jose"
	"signet/keys/privatekey"
	"signet/keys/rotation"
)

// Set is a rotation.KeySet, rendered once for as long as it holds.
type Set struct {
	rotation.KeySet
	Signers []*Signer // of the live algorithms, the primary first
	Keys    []*Signer // that are published
	Body    []byte    // the JWK Set (RFC 7517 §5); shared: not to be changed
	ETag    string    // of Body: strong, with its quotes

	early bool // see New
}

// Signer is a published key.
type Signer struct {
	KID, Alg string
	Private  *privatekey.Key
	header   []byte // the part of the JWS header that is the same for every token: {"alg":"…","kid":"…","typ":"
}

// New renders the key set of the keyring at now for a replica configured with algs; private has the private half of
// each key, by kid. A replica whose clock is behind does not have the right time, so it publishes early: each key that
// is to come. An extra key does no harm; one that is missing does.
func New(ring rotation.Keyring, private map[string]*privatekey.Key, algs []string, now time.Time, early bool) (*Set, error) {
	set := &Set{KeySet: ring.At(now), early: early}
	set.SortBy(algs)
	if early {
		set.Published = append(set.Published, ring.Unpublished(now)...)
	}
	var jwks []jose.JWK
	for _, k := range set.Published {
		jwk, err := jose.NewJWK(private[k.KID].Public())
		if err != nil {
			return nil, fmt.Errorf("rendering key %s: %w", k.KID, err)
		}
		jwk.Use, jwk.Alg, jwk.Kid = "sig", k.Alg, k.KID
		jwks = append(jwks, jwk)
		header := fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"`, k.Alg, k.KID)
		set.Keys = append(set.Keys, &Signer{k.KID, k.Alg, private[k.KID], []byte(header)})
	}
	var err error
	if set.Body, err = jose.MarshalSet(jwks); err != nil {
		return nil, fmt.Errorf("rendering the key set: %w", err)
	}
	sum := sha256.Sum256(set.Body)
	set.ETag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	live := set.Keys[:len(set.Active)]
	for _, s := range live {
		if slices.Contains(algs, s.Alg) {
			set.Signers = append(set.Signers, s)
		}
	}
	if len(set.Signers) == 0 {
		// The configured algorithms are new and their keys not published for long enough: until then
		// the previous ones sign.
		set.Signers = live
	}
	return set, nil
}

// HoldsFor reports whether the set is that of now, and early as New was given it.
func (s *Set) HoldsFor(now time.Time, early bool) bool { return s.early == early && s.Holds(now) }

// Signer returns the active key of the algorithm, or nil. An empty alg means the primary one.
func (s *Set) Signer(alg string) *Signer {
	for _, k := range s.Signers {
		if alg == "" || k.Alg == alg {
			return k
		}
	}
	return nil
}

// Primary returns the kid of the key that signs by default, or "".
func (s *Set) Primary() string {
	if len(s.Signers) == 0 {
		return ""
	}
	return s.Signers[0].KID
}
