package keys

import "time"

// KeptPlan is an activation that was planned under a longer timetable than that of now. Plans are kept
// when the timetable changes, so a shorter one, or another preset, holds for later keys only; Rotate
// brings the activation forward.
type KeptPlan struct {
	Alg         string
	KID         string // of the key that is to sign next
	ActivatesAt time.Time
	Would       time.Time // by the timetable of now
}

// KeptPlans lists the algorithms whose next activation is later than the timetable would have it.
func (m *Manager) KeptPlans() (kept []KeptPlan) {
	const rounding = time.Minute
	tt, now := m.cfg.Timetable, m.clock.Correct(m.cfg.Now())
	p := newPlanner(m.state.Load().ring, tt, now, nil)
	for _, alg := range m.cfg.Algorithms {
		active, pending := p.find(alg, Active), p.find(alg, Pending)
		if active == nil || pending == nil {
			continue
		}
		would := later(pending.PublishAt.Add(tt.Publish), active.ActivateAt.Add(tt.Active))
		if pending.ActivateAt.Sub(would) > rounding {
			kept = append(kept, KeptPlan{Alg: alg, KID: pending.KID, ActivatesAt: pending.ActivateAt, Would: would})
		}
	}
	return kept
}
