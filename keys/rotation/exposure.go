package rotation

import "time"

// Exposure is until when verifiers that use the key set can still accept tokens of a revoked key.
// Introspection and userinfo refuse them at once.
//
// Verifiers that keep a key until they meet an unknown kid (go-oidc is one) are in neither figure as far as
// forged tokens go, because the holder of the key chooses their exp. These verifiers drop the key when they
// are restarted or meet a token of a key that they do not have.
type Exposure struct {
	// Expired: every token that Signet signed with the key has expired, for every verifier. Zero: it
	// signed none.
	Expired time.Time
	// Forgotten: verifiers and CDNs that honour Cache and CDN have dropped the key, and refuse whatever is
	// signed with it, forged or not.
	Forgotten time.Time
}

// Exposure returns that of a key that signed until lastSigned (zero: never) and was in the key set of some
// replica until lastServed.
func (t Timetable) Exposure(lastSigned, lastServed time.Time) Exposure {
	e := Exposure{Forgotten: lastServed.Add(t.CDN + t.Cache)}
	if !lastSigned.IsZero() {
		e.Expired = lastSigned.Add(t.Skew + t.MaxTokenLife + t.Leeway)
	}
	return e
}

// Genuine returns when verifiers that honour Cache refuse the last token that Signet signed with the key.
func (e Exposure) Genuine() time.Time {
	if e.Expired.Before(e.Forgotten) {
		return e.Expired
	}
	return e.Forgotten
}

// exposures returns those of a key that is revoked at now: with every replica up to date, and with one that has
// read the keyring just before and cannot read it any more.
func (t Timetable) exposures(k Key, now time.Time) (all, unread Exposure) {
	lastSigned := now.Add(t.SignStale) // by a replica that cannot read
	switch k.State(now) {
	case Active:
		all, unread = t.Exposure(now, now), t.Exposure(lastSigned, now.Add(t.ServeStale))
	case Retired:
		all = t.Exposure(k.RetireAt, now)
		unread = t.Exposure(k.RetireAt.Add(t.SignStale), now.Add(t.ServeStale))
	default:
		if !k.ActivateAt.Before(lastSigned) {
			lastSigned = time.Time{}
		}
		all, unread = t.Exposure(time.Time{}, now), t.Exposure(lastSigned, now.Add(t.ServeStale))
	}
	return all, unread
}
