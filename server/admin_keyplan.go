package server

import (
	"time"

	"signet/keys"
	"signet/server/edge"
)

// maxPlanFor is the longest time that can be planned for.
const maxPlanFor = 10 * 365 * 24 * time.Hour

// planView is what the keyring will do by itself. A key without a kid has not been made yet; its name
// is a letter.
type planView struct {
	Version uint64        `json:"version"`
	From    time.Time     `json:"from"`
	Until   time.Time     `json:"until"`
	Cut     bool          `json:"cut"` // until is sooner than asked for: there were too many keys
	Keys    []plannedKey  `json:"keys"`
	Steps   []plannedStep `json:"steps"`
}

type plannedKey struct {
	Name        string     `json:"name"`
	KID         string     `json:"kid,omitempty"`
	Alg         string     `json:"alg"`
	State       keys.State `json:"state,omitempty"` // of now
	PublishedAt time.Time  `json:"published_at"`
	ActivatesAt time.Time  `json:"activates_at"`
	RetiresAt   time.Time  `json:"retires_at,omitzero"`
	RemovedAt   time.Time  `json:"removed_at,omitzero"`
	RevokedAt   time.Time  `json:"revoked_at,omitzero"`
}

type plannedStep struct {
	At   time.Time `json:"at"`
	Step string    `json:"step"` // published, or the state that begins
	Name string    `json:"name"`
	Alg  string    `json:"alg"`
}

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
	version := s.cfg.Keys.Version()
	plan, err := s.cfg.Keys.Plan(long)
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: viewPlan(version, plan)}, nil
}

func viewPlan(version uint64, p keys.Plan) planView {
	v := planView{Version: version, From: p.From.UTC(), Until: p.Until.UTC(), Cut: p.Cut, Keys: []plannedKey{}, Steps: []plannedStep{}}
	for _, k := range p.Keys {
		state := k.State
		if !k.Made {
			state = ""
		}
		v.Keys = append(v.Keys, plannedKey{k.Name, k.KID, k.Alg, state, k.PublishAt, k.ActivateAt, k.RetireAt, k.RemoveAt, k.RevokedAt})
	}
	for _, step := range p.Steps {
		v.Steps = append(v.Steps, plannedStep(step))
	}
	return v
}
