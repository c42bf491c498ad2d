package admin

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/server/account"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/admin/users"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/throttle"
	"signet/store"
)

// maxThrottle is how many limits are listed, or cleared, at once.
const maxThrottle = 1000

// limits shows and clears what is counted of failed logins and authentications.
type limits struct {
	store    store.Store
	throttle *throttle.Throttle
	settings func() Settings
	rec      call.Recorder
	now      func() time.Time
}

// list shows what is counted of a user or from a network, or all of it.
func (h *limits) list(r *call.Request) (edge.Response, error) {
	q, states, err := h.find(r)
	if err != nil {
		return edge.Response{}, err
	}
	cfg, now := h.settings().Throttle, h.now()
	list := make([]api.Limit, 0, len(states))
	for _, state := range states {
		v := h.throttle.View(cfg, q, state, now)
		view := api.Limit{Kind: v.Kind, Network: v.Network, Failures: v.Failures, UnderWay: v.UnderWay, Wait: v.Wait.Seconds()}
		if v.Failures > 0 {
			view.Until = &v.Until
		}
		if v.Failures+v.UnderWay > 0 {
			list = append(list, view)
		}
	}
	slices.SortFunc(list, func(a, b api.Limit) int {
		if a.Wait != b.Wait {
			return int(b.Wait*1000) - int(a.Wait*1000)
		}
		return strings.Compare(a.Kind+a.Network, b.Kind+b.Network)
	})
	return edge.Response{Body: api.LimitList{Limits: list}}, nil
}

// clear forgets the failures of a user, or those from a network.
func (h *limits) clear(r *call.Request) (edge.Response, error) {
	q, states, err := h.find(r)
	switch {
	case err != nil:
		return edge.Response{}, err
	case q == throttle.Query{}:
		return edge.Response{}, input.Invalid("name a user or an address whose failures are to be forgotten")
	}
	byPlace := map[string][]string{}
	cleared := 0
	for _, state := range states {
		if state.Failures > 0 {
			byPlace[state.Place] = append(byPlace[state.Place], state.Key)
			cleared++
		}
	}
	detail := map[string]string{"cleared": strconv.Itoa(cleared)}
	if q.Address.IsValid() {
		detail["of_address"] = q.Address.String()
	}
	e := store.Event{Type: store.EventThrottleClear, Detail: detail}
	h.rec.WithEvent(r, &e)
	r.Changing = store.EventThrottleClear
	if err := h.store.KeepEvent(r.Context(), &e); err != nil {
		return edge.Response{}, err
	}
	for place, keys := range byPlace {
		if err := h.store.ClearThrottle(r.Context(), place, keys); err != nil {
			h.rec.Audit.Drop(e) // the outcome is recorded as unknown
			return edge.Response{}, err
		}
	}
	h.rec.OK(r, e)
	return edge.Response{Body: api.LimitsCleared{Cleared: cleared}}, nil
}

func (h *limits) find(r *call.Request) (q throttle.Query, states []store.ThrottleState, err error) {
	values, err := input.ReadQuery(r.Request, "user", "address")
	if err != nil {
		return q, nil, err
	}
	if typed := values["user"]; typed != "" {
		if q.Username, err = h.throttledName(r, typed); err != nil {
			return q, nil, err
		}
	}
	if text := values["address"]; text != "" {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return q, nil, input.Invalid("address must be an IPv4 or IPv6 address")
		}
		q.Address = addr.Unmap()
	}
	states, err = h.store.ListThrottle(r.Context(), h.now(), h.throttle.Picker(q), maxThrottle)
	return q, states, err
}

// throttledName returns the name that logins are counted by. A user who does not exist can be throttled too.
func (h *limits) throttledName(r *call.Request, typed string) (string, error) {
	if id, err := store.ParseUserID(typed); err == nil {
		user, err := h.store.User(r.Context(), id)
		if err != nil {
			return "", users.Error(err)
		}
		r.Subject, r.Username = typed, user.Username
		return user.Username, nil
	}
	name, err := account.Name(r.Context(), h.store, typed)
	switch {
	case errors.Is(err, password.ErrUsername):
		name = typed
	case err != nil:
		return "", err
	}
	r.TypedName = name
	return name, nil
}
