package keyring

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signet/keys"
	"signet/keys/clockcheck"
	"signet/keys/rotation"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/edge"
	"signet/server/replica"
	"signet/store"
)

// Config configures a Keyring. Every field is required.
type Config struct {
	Keys      *keys.Manager
	Replica   *replica.Replica
	Lifetimes func() store.Lifetimes // of sessions, in force now
	Recorder  call.Recorder
}

// Keyring has the verbs that show and change the signing keys.
type Keyring struct {
	keys      *keys.Manager
	replica   *replica.Replica
	lifetimes func() store.Lifetimes
	rec       call.Recorder
}

// New returns the verbs.
func New(cfg Config) *Keyring {
	return &Keyring{keys: cfg.Keys, replica: cfg.Replica, lifetimes: cfg.Lifetimes, rec: cfg.Recorder}
}

// List shows the keys and the replicas that have them.
func (h *Keyring) List(r *call.Request) (edge.Response, error) {
	list, err := h.listKeys(r.Context())
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Body: list}, nil
}

func (h *Keyring) listKeys(ctx context.Context) (api.KeyList, error) {
	beats, err := h.replica.Live(ctx)
	if err != nil {
		return api.KeyList{}, err
	}
	list := api.KeyList{Version: h.keys.Version(), Keys: []api.Key{}, Replicas: make([]api.Replica, 0, len(beats))}
	for _, b := range beats {
		list.Replicas = append(list.Replicas, api.Replica(b))
	}
	for _, k := range h.keys.Keys() {
		list.Keys = append(list.Keys, api.Key{KID: k.KID, Alg: k.Alg, State: string(k.State), Held: k.Held, Since: k.Since, CreatedAt: k.CreatedAt,
			PublishedAt: k.PublishAt, ActivatesAt: k.ActivateAt, RetiresAt: k.RetireAt, RemovedAt: k.RemoveAt, Next: k.Next, NextAt: k.NextAt})
	}
	return list, nil
}

// Rotate has the next key sign as soon as every verifier must have it, and answers when that is. Without an alg it does
// so for all of them. A second request has the same result. In an emergency the next key signs at once, and a second
// request rotates again.
func (h *Keyring) Rotate(r *call.Request) (edge.Response, error) {
	var in api.KeyRotation
	if _, err := input.JSON(r.Request, &in); err != nil {
		return edge.Response{}, err
	}
	algs := h.keys.Algorithms()
	if in.Alg != "" {
		algs = []string{in.Alg}
	}
	var now []api.Rotation
	var activates time.Time
	var err error
	if in.Emergency {
		now, err = h.rotateKeysNow(r, algs)
	} else {
		activates, err = h.rotateKeys(r, algs)
	}
	if err != nil {
		return edge.Response{}, err
	}
	list, err := h.listKeys(r.Context())
	if err != nil {
		return edge.Response{}, err
	}
	return edge.Response{Status: http.StatusAccepted, Body: api.RotatedKeys{KeyList: list, ActivatesAt: activates, Rotations: now}}, nil
}

// rotateKeys returns when the last of the new keys signs.
func (h *Keyring) rotateKeys(r *call.Request, algs []string) (activates time.Time, err error) {
	for _, alg := range algs {
		e := store.Event{Type: store.EventKeysRotate, Detail: map[string]string{"alg": alg}}
		at, err := h.keys.Edit().Rotate(h.rec.WithEvent(r, &e), alg)
		if err != nil {
			return time.Time{}, h.rotationError(err)
		}
		e.Detail["activates_at"] = at.UTC().Format(time.RFC3339)
		h.rec.OK(r, e)
		if at.After(activates) {
			activates = at
		}
	}
	h.replica.Beat(r.Context())
	return activates, nil
}

// maxPlanFor is the longest time that can be planned for.
const maxPlanFor = 10 * 365 * 24 * time.Hour

// Plan plans for a year, or for the duration of the query.
func (h *Keyring) Plan(r *call.Request) (edge.Response, error) {
	q, err := input.ReadQuery(r.Request, "for")
	if err != nil {
		return edge.Response{}, err
	}
	long := time.Duration(0)
	if text := q["for"]; text != "" {
		if long, err = time.ParseDuration(text); err != nil || long <= 0 || long > maxPlanFor {
			return edge.Response{}, input.Invalid("for must be a duration such as 2160h, and at most ten years")
		}
	}
	version, tt, now := h.keys.Version(), h.keys.Timetable(), h.keys.Clock().Now()
	if long == 0 {
		long = tt.PlanLength()
	}
	plan, err := rotation.NewPlan(h.keys.Keyring(), tt, h.keys.Configured(), now, now.Add(long))
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

// CheckClock refuses a change while this server's clock is wrong, and names the way out.
func CheckClock(clock *clockcheck.Clock) error {
	err := clock.Check()
	if err == nil {
		return nil
	}
	advice := ""
	if clock.Behind() != 0 {
		advice = "; if it is right and that time was wrong, run `signet keys clock-reset`"
	}
	return &edge.Error{Status: http.StatusServiceUnavailable, Code: api.CodeUnavailable, Cause: err,
		Description: "nothing was changed: " + err.Error() + "; set it right, or ask another replica" + advice}
}

// ResetClock makes the present time the latest that was seen. It is the only change that is made while the clock is
// behind: it is the way out after a clock that was ahead has been set right.
func (h *Keyring) ResetClock(r *call.Request) (edge.Response, error) {
	e := store.Event{Type: store.EventKeysClockReset}
	done, err := h.keys.Edit().ResetClock(h.rec.WithEvent(r, &e))
	if errors.Is(err, clockcheck.ErrClock) {
		return edge.Response{}, call.Conflict("this machine's clock differs from those of the store and the other replicas (%v): set it right first; nothing was changed", err)
	}
	if err != nil {
		return edge.Response{}, err
	}
	if done.Changed {
		e.Detail = map[string]string{"seen_at": done.SeenAt.Format(time.RFC3339)}
		h.rec.OK(r, e)
		h.replica.Beat(r.Context())
	}
	return edge.Response{Body: api.ClockReset(done)}, nil
}
