package keys

import "time"

// Exposure is how long tokens of a revoked key can still be accepted by verifiers that go by the key
// set. Introspection and userinfo refuse them at once.
//
// Verifiers that keep a key for as long as no unknown kid comes along (go-oidc is one) are in neither
// figure as far as forged tokens go: whoever has the key chooses their exp. These verifiers forget
// the key when they are restarted or meet a token of a key that they do not have.
type Exposure struct {
	// Expired: no token that Signet signed with it is good any more, whoever looks at it. Zero: it
	// signed none.
	Expired time.Time `json:"expired,omitzero"`
	// Forgotten: verifiers and CDNs that honour J and C have dropped the key, and refuse whatever is
	// signed with it, forged or not.
	Forgotten time.Time `json:"forgotten"`
}

// Exposure works it out for a key that signed until lastSigned (zero: never) and was in the key set
// of some replica until lastServed.
func (t Timetable) Exposure(lastSigned, lastServed time.Time) Exposure {
	e := Exposure{Forgotten: lastServed.Add(t.EdgeCache + t.VerifierCache)}
	if !lastSigned.IsZero() {
		e.Expired = lastSigned.Add(t.ClockSkew + t.TokenLife + t.Leeway)
	}
	return e
}

// Genuine is when the last token that Signet signed is refused by verifiers that honour J.
func (e Exposure) Genuine() time.Time {
	if e.Expired.Before(e.Forgotten) {
		return e.Expired
	}
	return e.Forgotten
}

// exposures are those of a key that is revoked now: with every replica up to date, and with one that
// goes on by what it has read just before.
func (p *planner) exposures(k Key) (all, unread Exposure) {
	dark := p.now.Add(p.tt.SignStale) // the last signature of a replica that cannot read
	switch k.State(p.now) {
	case Active:
		all, unread = p.tt.Exposure(p.now, p.now), p.tt.Exposure(dark, p.now.Add(p.tt.ServeStale))
	case Retired:
		all = p.tt.Exposure(k.RetireAt, p.now)
		unread = p.tt.Exposure(k.RetireAt.Add(p.tt.SignStale), p.now.Add(p.tt.ServeStale))
	default:
		if !k.ActivateAt.Before(dark) {
			dark = time.Time{}
		}
		all, unread = p.tt.Exposure(time.Time{}, p.now), p.tt.Exposure(dark, p.now.Add(p.tt.ServeStale))
	}
	return all, unread
}
