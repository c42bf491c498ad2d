package keys

import "time"

// outlast is how long after its retirement a key can be asked for: a replica that has not read of the
// retirement signs for X more, its clock is S off, the token lives for T and the verifier adds L.
func (t Timetable) outlast() time.Duration {
	return t.SignStale + t.ClockSkew + t.TokenLife + t.Leeway
}

// hold records, for each key that signs or will, the longest that its tokens can live. It only ever
// grows: under which of several timetables the key signed its last token nobody can tell. A keyring
// that was written before this was recorded has the plan that was made under the timetable of then.
func (p *planner) hold() {
	for i := range p.ring.Keys {
		k := &p.ring.Keys[i]
		if s := k.State(p.now); s != Pending && s != Active {
			continue
		}
		need := max(k.Hold, p.tt.outlast())
		if k.Hold == 0 && !k.RetireAt.IsZero() {
			need = max(need, k.RemoveAt.Sub(k.RetireAt))
		}
		if need == k.Hold {
			continue
		}
		k.Hold, p.noted = need, true
	}
}

// stay is how long the key stays in the key set after it has retired.
func (p *planner) stay(k Key) time.Duration { return max(p.tt.Retain, k.Hold) }
