package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/replica"
	"signet/store/redis/script"
)

var errForeign = errors.New("it holds another install's data; stop this server and look at its store setting")

// Install implements store.Installs.
func (s *installs) Install(ctx context.Context) (store.Install, error) {
	get := conn.Command(s.key.Of(layout.Install), "get", s.key.Of(layout.Install))
	if err := s.conn.DoAnyway(ctx, "reading the install", get); err != nil {
		return store.Install{}, err
	}
	raw, found := get.Text()
	if !found {
		s.conn.Refuse(nil)
		return store.Install{}, fmt.Errorf("install: %w", store.ErrNotFound)
	}
	if err := s.know(raw); err != nil {
		return store.Install{}, err
	}
	return s.install.Load().Install, nil
}

// CreateInstall implements store.Installs.
func (s *installs) CreateInstall(ctx context.Context, in store.Install) error {
	raw, err := s.records.EncodeInstall(in)
	if err != nil {
		return err
	}
	create := conn.Write("set", s.key.Of(layout.Install), raw, "nx")
	if err := s.conn.DoDurably(ctx, "creating the install", create); err != nil {
		return err
	}
	if _, ok := create.Text(); !ok {
		return fmt.Errorf("install: %w", store.ErrExists)
	}
	return s.know(raw)
}

// LoadKeyring implements store.Keyrings. It is asked for every few seconds, so it also finds out
// whether the data are still this install's.
func (s *installs) LoadKeyring(ctx context.Context) (version uint64, document []byte, err error) {
	return s.loadKeyring(ctx)
}

// loadKeyring makes the other calls in the same round trip.
func (s *installs) loadKeyring(ctx context.Context, others ...*conn.Call) (version uint64, document []byte, err error) {
	install := conn.Command(s.key.Of(layout.Install), "get", s.key.Of(layout.Install))
	ring := conn.Command(s.key.Of(layout.Install), "hmget", s.key.Of(layout.Keyring), "version", "document")
	if err := s.conn.DoAnyway(ctx, "reading the keyring", append([]*conn.Call{install, ring}, others...)...); err != nil {
		return 0, nil, err
	}
	if raw, found := install.Text(); !found {
		s.conn.Refuse(nil) // nobody's: if it was wiped, this install is written back
	} else if err := s.know(raw); err != nil {
		return 0, nil, err
	}
	fields := ring.List()
	if len(fields) != 2 {
		return 0, nil, conn.Malformed("the keyring", conn.ErrReply)
	}
	if fields[0] == "" {
		return 0, nil, nil
	}
	if version, err = strconv.ParseUint(fields[0], 10, 64); err != nil {
		return 0, nil, conn.Malformed("the keyring", err)
	}
	return version, []byte(fields[1]), nil
}

// SwapKeyring implements store.Keyrings. With a keyring that is written back to a store that was
// wiped goes the install record, and never over another install's.
func (s *installs) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (bool, error) {
	if next <= old {
		return false, fmt.Errorf("swapping the keyring: version %d does not follow %d", next, old)
	}
	known := ""
	if in := s.install.Load(); in != nil {
		known = in.raw
	}
	keys := s.key.All(layout.Install, layout.Keyring)
	swap, err := s.trail.Call(ctx, script.SwapKeyring, keys, strconv.FormatUint(old, 10), strconv.FormatUint(next, 10), document, known)
	if err != nil {
		return false, err
	}
	if err := s.channel.DoAndNotify(ctx, "writing the keyring", replica.KeyringChanged(), swap.Call); err != nil {
		return false, err
	}
	switch outcome, _ := swap.Text(); outcome {
	case "ok":
		swap.Kept(true)
		return true, nil
	case "raced":
		return false, nil
	case "foreign":
		if _, err := s.Install(ctx); err == nil {
			return false, nil // the same install, written anew: the caller looks again
		}
		s.conn.Refuse(errForeign)
		return false, conn.Unavailable("writing the keyring", errForeign)
	default:
		return false, conn.UnexpectedReply("writing the keyring", outcome)
	}
}
