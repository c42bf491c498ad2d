package server

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/throttle"
	"signet/store"
)

// maxThrottle is how many limits are listed, or cleared, at once.
const maxThrottle = 1000

// adminListThrottle shows what is counted of a user or from a network, or of everybody.
func (s *Server) adminListThrottle(c *adminRequest) (edge.Response, error) {
	q, states, err := s.findThrottle(c)
	if err != nil {
		return edge.Response{}, err
	}
	cfg, now := s.settings().Throttle, s.now()
	list := make([]api.Limit, 0, len(states))
	for _, state := range states {
		v := s.throttle.View(cfg, q, state, now)
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

// adminClearThrottle forgets the failures of a user, or those from a network.
func (s *Server) adminClearThrottle(c *adminRequest) (edge.Response, error) {
	q, states, err := s.findThrottle(c)
	switch {
	case err != nil:
		return edge.Response{}, err
	case q == throttle.Query{}:
		return edge.Response{}, adminInvalid("name a user or an address whose failures are to be forgotten")
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
	s.doing(c, &e)
	c.Changing = store.EventThrottleClear
	if err := s.store.KeepEvent(c.Context(), &e); err != nil {
		return edge.Response{}, err
	}
	for place, keys := range byPlace {
		if err := s.store.ClearThrottle(c.Context(), place, keys); err != nil {
			s.audit.Drop(e) // the outcome is recorded as unknown
			return edge.Response{}, err
		}
	}
	s.did(c, e)
	return edge.Response{Body: api.LimitsCleared{Cleared: cleared}}, nil
}

func (s *Server) findThrottle(c *adminRequest) (q throttle.Query, states []store.ThrottleState, err error) {
	values, err := readQuery(c, "user", "address")
	if err != nil {
		return q, nil, err
	}
	if typed := values["user"]; typed != "" {
		if q.Username, err = s.throttledName(c, typed); err != nil {
			return q, nil, err
		}
	}
	if text := values["address"]; text != "" {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return q, nil, adminInvalid("address must be an IPv4 or IPv6 address")
		}
		q.Address = addr.Unmap()
	}
	states, err = s.store.ListThrottle(c.Context(), s.now(), s.throttle.Picker(q), maxThrottle)
	return q, states, err
}

// throttledName is the name that logins are counted by. Somebody who does not exist may be throttled too.
func (s *Server) throttledName(c *adminRequest, typed string) (string, error) {
	if id, err := store.ParseUserID(typed); err == nil {
		user, err := s.store.User(c.Context(), id)
		if err != nil {
			return "", userProblem(err)
		}
		c.Subject, c.Username = typed, user.Username
		return user.Username, nil
	}
	name, err := password.CanonicalUsername(typed)
	if err != nil {
		name = typed
	}
	c.TypedName = name
	return name, nil
}
