package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/jose"
	"signet/keys/privatekey"
	"signet/keys/rotation"
)

// snapshot is everything that a request needs. It is never changed, only replaced.
type snapshot struct {
	document
	version uint64
	sealed  []byte
	readAt  time.Time // when the read began that last found this to be the keyring
	keySet  *keySet
}

// keySet is a rotation.KeySet, rendered once for as long as it holds.
type keySet struct {
	rotation.KeySet
	signers   []*signer // of the live algorithms, the primary first
	published []*signer
	body      []byte
	etag      string
	early     bool // see newKeySet
}

// signer is a published key with the part of its JWS header that is the same for every token.
type signer struct {
	kid, alg string
	header   []byte // {"alg":"…","kid":"…","typ":" — the typ and "} are missing
	private  *privatekey.Key
}

// newKeySet renders the key set of the document at now for a replica configured with algs. A replica whose
// clock is behind cannot tell how late it is, so it publishes early: each key that is to come. An extra
// key does no harm; one that is missing does.
func newKeySet(d document, algs []string, now time.Time, early bool) (*keySet, error) {
	set := &keySet{KeySet: d.ring.At(now), early: early}
	set.SortBy(algs)
	if early {
		set.Published = append(set.Published, d.ring.Unpublished(now)...)
	}
	var jwks []jose.JWK
	for _, k := range set.Published {
		private := d.private[k.KID]
		jwk, err := jose.NewJWK(private.Public())
		if err != nil {
			return nil, fmt.Errorf("rendering key %s: %w", k.KID, err)
		}
		jwk.Use, jwk.Alg, jwk.Kid = "sig", k.Alg, k.KID
		jwks = append(jwks, jwk)
		header := fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"`, k.Alg, k.KID)
		set.published = append(set.published, &signer{k.KID, k.Alg, []byte(header), private})
	}
	var err error
	if set.body, err = jose.MarshalSet(jwks); err != nil {
		return nil, fmt.Errorf("rendering the key set: %w", err)
	}
	sum := sha256.Sum256(set.body)
	set.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	live := set.published[:len(set.Active)]
	for _, s := range live {
		if slices.Contains(algs, s.alg) {
			set.signers = append(set.signers, s)
		}
	}
	if len(set.signers) == 0 {
		// The configured algorithms are new and their keys not published for long enough: until then
		// the previous ones sign.
		set.signers = live
	}
	return set, nil
}

func (s *keySet) holds(now time.Time, early bool) bool { return s.early == early && s.Holds(now) }

// signer returns the active key of the algorithm, or nil. An empty alg means the primary one.
func (s *keySet) signer(alg string) *signer {
	for _, k := range s.signers {
		if alg == "" || k.alg == alg {
			return k
		}
	}
	return nil
}

// primary returns the kid of the key that signs by default, or "".
func (s *keySet) primary() string {
	if len(s.signers) == 0 {
		return ""
	}
	return s.signers[0].kid
}

// holder holds the snapshot that requests see.
type holder struct {
	clock   *clockcheck.Clock
	algs    []string
	state   atomic.Pointer[snapshot] // nil before the first adopt
	changed chan struct{}            // holds one
}

func (h *holder) load() *snapshot { return h.state.Load() }

// current returns the snapshot with a key set that holds at the correct time of now. It renders a new one
// when a time in the timetable has come since the last; no request waits for another.
func (h *holder) current(now time.Time) (*snapshot, error) {
	old := h.state.Load()
	early := h.clock.BehindAt(now) > 0
	now = h.clock.Correct(now)
	if old.keySet.holds(now, early) {
		return old, nil
	}
	fresh := *old
	if err := h.render(&fresh, now, early); err != nil {
		return nil, err
	}
	h.state.CompareAndSwap(old, &fresh) // if it loses, a newer keyring was read: for the next request
	return &fresh, nil
}

// render renders the key set. The time from which it holds counts as seen: the key set before it never comes back.
func (h *holder) render(s *snapshot, now time.Time, early bool) (err error) {
	if s.keySet, err = newKeySet(s.document, h.algs, now, early); err != nil {
		return err
	}
	h.clock.Raise(s.keySet.From)
	return nil
}

// adopt makes s the snapshot that requests see.
func (h *holder) adopt(s *snapshot, now time.Time) error {
	h.clock.Merge(s.ring.SeenAt, s.ring.ClockResets)
	early := h.clock.BehindAt(now) > 0
	now = h.clock.Correct(now)
	if s.keySet == nil || !s.keySet.holds(now, early) {
		if err := h.render(s, now, early); err != nil {
			return err
		}
	}
	old := h.state.Swap(s)
	if old != nil && old.version != s.version {
		select {
		case h.changed <- struct{}{}:
		default:
		}
	}
	return nil
}
