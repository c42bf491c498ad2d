package timetable

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
