package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"signet/keys/jose"
)

// snapshot is all that a request needs. It is never changed, only replaced.
type snapshot struct {
	version  uint64
	document []byte
	ring     Ring
	readAt   time.Time // when the read began that last found this to be the keyring
	view     *view
}

// view is what a lineup comes to, worked out once for as long as the lineup holds.
type view struct {
	lineup    Lineup
	signers   []*member // of the live algorithms, the primary first
	published []*member
	body      []byte
	etag      string
	early     bool // see newView
}

// member is a published key with its JWS header as far as it is the same for every token.
type member struct {
	kid, alg string
	header   []byte // {"alg":"…","kid":"…","typ":" — the typ and "} are missing
	private  *privateKey
}

// newView works out the lineup of the ring at now for a replica configured with algs. A replica whose
// clock is behind does not know how late it is, so it publishes early: each key that is to come. That
// does no harm, where one that is missing would.
func newView(r Ring, algs []string, now time.Time, early bool) (*view, error) {
	v := &view{lineup: r.At(now), early: early}
	v.lineup.sortBy(algs)
	if early {
		for _, k := range r.Keys {
			if at := later(now, r.SeenAt); k.State(at) == Pending && !k.Published(at) {
				v.lineup.Published = append(v.lineup.Published, k)
			}
		}
	}
	var err error
	if v.body, v.etag, err = renderKeySet(v.lineup.Published); err != nil {
		return nil, err
	}
	for _, k := range v.lineup.Published {
		header := fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"`, k.Alg, k.KID)
		v.published = append(v.published, &member{k.KID, k.Alg, []byte(header), k.private})
	}
	live := v.published[:len(v.lineup.Active)]
	for _, m := range live {
		if slices.Contains(algs, m.alg) {
			v.signers = append(v.signers, m)
		}
	}
	if len(v.signers) == 0 {
		// The configured algorithms are new and their keys not published for long enough: until then
		// those that were there before go on.
		v.signers = live
	}
	return v, nil
}

// current returns the snapshot with a view that holds at the right time of now. It makes a new view when
// a time in the timetable has come since the last one; nobody waits for it.
func (m *Manager) current(now time.Time) (*snapshot, error) {
	old := m.state.Load()
	early := m.clock.BehindAt(now) > 0
	now = m.clock.Correct(now)
	if old.view.holds(now, early) {
		return old, nil
	}
	v, err := newView(old.ring, m.cfg.Algorithms, now, early)
	if err != nil {
		return nil, err
	}
	m.clock.Raise(v.lineup.From) // the view before it never comes back
	fresh := *old
	fresh.view = v
	m.state.CompareAndSwap(old, &fresh) // where it loses, a newer keyring was read: for the next request
	return &fresh, nil
}

func (v *view) holds(now time.Time, early bool) bool { return v.early == early && v.lineup.holds(now) }

// renderKeySet writes the keys as a JWK Set, in the order given, with a strong ETag.
func renderKeySet(published []Key) (body []byte, etag string, err error) {
	var keys []jose.JWK
	for _, k := range published {
		member, err := jose.NewJWK(k.private.Reveal().public)
		if err != nil {
			return nil, "", fmt.Errorf("rendering key %s: %w", k.KID, err)
		}
		member.Use, member.Alg, member.Kid = "sig", k.Alg, k.KID
		keys = append(keys, member)
	}
	if body, err = jose.MarshalSet(keys); err != nil {
		return nil, "", fmt.Errorf("rendering the key set: %w", err)
	}
	sum := sha256.Sum256(body)
	return body, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, nil
}
