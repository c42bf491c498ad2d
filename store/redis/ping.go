package redis

import (
	"context"
	"errors"

	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
)

// Ping implements store.Store. It writes a key that means nothing, by a script as requests do: a
// server that only reads (a replica, one that is full or cannot write its file), or that does not let
// this user run scripts, is not ready. In a cluster it asks one server;
// the last check of the masters was about the others.
func (s *Store) Ping(ctx context.Context) error {
	install := conn.Command(s.key.Of(layout.Install), "get", s.key.Of(layout.Install))
	probe := script.Probe.Call([]string{s.key.Of(layout.Probe)})
	if err := s.conn.DoAnyway(ctx, "checking", install, probe); err != nil {
		return err
	}
	if raw, found := install.Text(); found {
		if err := s.know(raw); err != nil {
			return err
		}
	} else if s.install.Load() != nil {
		return conn.Unavailable("checking", errors.New("the install is gone: was Redis wiped? The keyring is written back with the next poll"))
	}
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	if err := s.watch.failed; err != nil {
		return conn.Unavailable("looking at the servers", err)
	}
	return nil
}
