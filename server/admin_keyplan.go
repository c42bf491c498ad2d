package server

import (
	"time"

	"signet/keys/rotation"
	"signet/server/admin/api"
	"signet/server/edge"
)

// maxPlanFor is the longest time that can be planned for.
const maxPlanFor = 10 * 365 * 24 * time.Hour

// adminPlanKeys plans for a year, or for the duration that is asked for.
func (s *Server) adminPlanKeys(c *adminRequest) (edge.Response, error) {
	q, err := readQuery(c, "for")
	if err != nil {
		return edge.Response{}, err
	}
	long := time.Duration(0)
	if text := q["for"]; text != "" {
		if long, err = time.ParseDuration(text); err != nil || long <= 0 || long > maxPlanFor {
			return edge.Response{}, adminInvalid("for must be a duration such as 2160h, and at most ten years")
		}
	}
	version, tt, now := s.cfg.Keys.Version(), s.cfg.Keys.Timetable(), s.cfg.Keys.Clock().Now()
	if long == 0 {
		long = tt.PlanLength()
	}
	plan, err := rotation.NewPlan(s.cfg.Keys.Keyring(), tt, s.cfg.Keys.Configured(), now, now.Add(long))
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: viewPlan(version, plan)}, nil
}

func viewPlan(version uint64, p rotation.Plan) api.KeyPlan {
	v := api.KeyPlan{Version: version, From: p.From.UTC(), Until: p.Until.UTC(), Cut: p.Cut, Keys: []api.PlannedKey{}, Steps: []api.PlannedStep{}}
	for _, k := range p.Keys {
		state := string(k.State)
		if !k.Made {
			state = ""
		}
		v.Keys = append(v.Keys, api.PlannedKey{Name: k.Name, KID: k.KID, Alg: k.Alg, State: state, PublishedAt: k.PublishAt,
			ActivatesAt: k.ActivateAt, RetiresAt: k.RetireAt, RemovedAt: k.RemoveAt, RevokedAt: k.RevokedAt})
	}
	for _, step := range p.Steps {
		v.Steps = append(v.Steps, api.PlannedStep(step))
	}
	return v
}
