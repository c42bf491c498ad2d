package server

import (
	"strings"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// adminRewrap puts the keyring under the first master key, and with it the refresh tokens that are
// made from now on. While any replica lacks that key it refuses: it would lock that one out.
func (s *Server) adminRewrap(c *adminRequest) (edge.Response, error) {
	if _, err := readJSON(c, &struct{}{}); err != nil {
		return edge.Response{}, err
	}
	hints := s.cfg.Keys.MasterKeyHints()
	if s.cfg.Keys.MasterKeyInUse() != 0 {
		if err := s.allHave(c, hints[0]); err != nil {
			return edge.Response{}, err
		}
	}
	e := store.Event{Type: store.EventKeysRewrap, Detail: map[string]string{"master_key": hints[0]}}
	done, err := s.cfg.Keys.Edit().Rewrap(s.doing(c, &e))
	if err != nil {
		return edge.Response{}, err
	}
	if done.Changed {
		s.did(c, e)
	} else {
		s.audit.Drop(e) // the keyring was written for another reason
	}
	s.replica.Beat(c.Context())
	view := api.RewrappedKeys{At: done.At, Version: done.Version, Changed: done.Changed, MasterKeys: hints}
	if len(hints) > 1 {
		view.NeededUntil = done.At.Add(s.settings().Lifetimes.Absolute)
	}
	return edge.Response{Body: view}, nil
}

// allHave refuses while a replica that is alive does not say that it has the master key.
func (s *Server) allHave(c *adminRequest, hint string) error {
	beats, err := s.replica.Live(c.Context())
	if err != nil {
		return err
	}
	var without []string
	for _, b := range beats {
		if b.Replica != s.replica.ID() && !strings.Contains(b.MasterKeys, hint) {
			without = append(without, b.Replica)
		}
	}
	if len(without) > 0 {
		return adminRefused("not every replica has the new master key %s: give it to %s first, in front of the old one "+
			"(one that has stopped is forgotten within a minute); nothing was changed", hint, strings.Join(without, ", "))
	}
	return nil
}
