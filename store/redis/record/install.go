package record

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/replica"
	"signet/store/redis/script"
)

var errForeign = errors.New("it holds another install's data; stop this server and look at its store setting")

// Installs has the install and its keyring.
type Installs struct {
	*Deps
	known atomic.Pointer[installRecord] // nil: none is known
}

// installRecord is the install as it is in Redis, byte for byte, and decoded.
type installRecord struct {
	raw string
	store.Install
}

// follows reports whether later is this record with a higher schema, or the same one, sealed anew.
func (in *installRecord) follows(later *installRecord) bool {
	was := in.Install
	was.Schema = later.Schema
	return later.Schema >= in.Schema && was == later.Install
}

// compare compares the install that is in Redis at this moment with the one that was there first. Its format may have
// been raised meanwhile, and is then that of this store too. Data of another install are not touched from then on: the
// address leads elsewhere, or another install has taken the place of this one.
func (s *Installs) compare(raw string) error {
	in, err := s.Codec.DecodeInstall(raw)
	switch {
	case errors.Is(err, layout.ErrInstall):
		return conn.Misconfigured(conn.Malformed("the install", err))
	case err != nil:
		return conn.Malformed("the install", err)
	}
	found := &installRecord{raw, in}
	if s.known.CompareAndSwap(nil, found) {
		s.Codec.SetFormat(min(found.Schema, store.Format2))
		return nil
	}
	was := s.known.Load()
	if was.raw != raw && was.follows(found) && found.Schema <= store.Format2 && s.known.CompareAndSwap(was, found) {
		s.Codec.SetFormat(found.Schema)
		was = found
	}
	if was.raw != raw {
		s.Conn.Refuse(errForeign)
		return fmt.Errorf("%w: Redis holds install %s under %q now and this server belongs to %s", store.ErrUnavailable, found.ID, string(s.Key), was.ID)
	}
	s.Conn.Refuse(nil)
	return nil
}

// Install implements store.Installs.
func (s *Installs) Install(ctx context.Context) (store.Install, error) {
	get := conn.Command(s.Key.Of(layout.Install), "get", s.Key.Of(layout.Install))
	if err := s.Conn.DoAnyway(ctx, "reading the install", get); err != nil {
		return store.Install{}, err
	}
	raw, found := get.Text()
	if !found {
		s.Conn.Refuse(nil)
		return store.Install{}, fmt.Errorf("install: %w", store.ErrNotFound)
	}
	if err := s.compare(raw); err != nil {
		return store.Install{}, err
	}
	return s.known.Load().Install, nil
}

// CreateInstall implements store.Installs.
func (s *Installs) CreateInstall(ctx context.Context, in store.Install) error {
	raw, err := s.Codec.EncodeInstall(in)
	if err != nil {
		return err
	}
	create := conn.Write("set", s.Key.Of(layout.Install), raw, "nx")
	if err := s.Conn.DoDurably(ctx, "creating the install", create); err != nil {
		return err
	}
	if _, ok := create.Text(); !ok {
		return fmt.Errorf("install: %w", store.ErrExists)
	}
	return s.compare(raw)
}

// LoadKeyring implements store.Keyrings. It is asked for every few seconds, so it also finds out
// whether the data are still this install's.
func (s *Installs) LoadKeyring(ctx context.Context) (version uint64, document []byte, err error) {
	return s.loadKeyring(ctx)
}

// loadKeyring makes the other calls in the same round trip.
func (s *Installs) loadKeyring(ctx context.Context, others ...*conn.Call) (version uint64, document []byte, err error) {
	install := conn.Command(s.Key.Of(layout.Install), "get", s.Key.Of(layout.Install))
	ring := conn.Command(s.Key.Of(layout.Install), "hmget", s.Key.Of(layout.Keyring), "version", "document")
	if err := s.Conn.DoAnyway(ctx, "reading the keyring", append([]*conn.Call{install, ring}, others...)...); err != nil {
		return 0, nil, err
	}
	if raw, found := install.Text(); !found {
		s.Conn.Refuse(nil) // of no install: if it was wiped, this install is written back
	} else if err := s.compare(raw); err != nil {
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
func (s *Installs) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (bool, error) {
	if next <= old {
		return false, fmt.Errorf("swapping the keyring: version %d does not follow %d", next, old)
	}
	known := ""
	if in := s.known.Load(); in != nil {
		known = in.raw
	}
	keys := s.Key.All(layout.Install, layout.Keyring)
	swap := s.Trail.Call(ctx, script.SwapKeyring, keys, strconv.FormatUint(old, 10), strconv.FormatUint(next, 10), document, known)
	if err := s.Channel.DoAndNotify(ctx, "writing the keyring", replica.KeyringChanged(), swap.Call); err != nil {
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
		s.Conn.Refuse(errForeign)
		return false, conn.Unavailable("writing the keyring", errForeign)
	default:
		return false, conn.UnexpectedReply("writing the keyring", outcome)
	}
}

// LoadKeyringAt implements store.Clocked. Where the Redis user may not use TIME, at is zero.
func (s *Installs) LoadKeyringAt(ctx context.Context) (version uint64, document []byte, at time.Time, err error) {
	clock := conn.Command(s.Key.Of(layout.Install), "time")
	clock.Optional = true
	if version, document, err = s.loadKeyring(ctx, clock); err != nil {
		return 0, nil, time.Time{}, err
	}
	return version, document, clock.Time(), nil
}

// Probe reads the install and writes a key that means nothing, by a script as requests do: a
// server that only reads (a replica, one that is full or cannot write its file), or that does not let
// this user run scripts, is not ready. In a cluster it asks one server.
func (s *Installs) Probe(ctx context.Context) error {
	install := conn.Command(s.Key.Of(layout.Install), "get", s.Key.Of(layout.Install))
	probe := script.Probe.Call([]string{s.Key.Of(layout.Probe)})
	if err := s.Conn.DoAnyway(ctx, "checking", install, probe); err != nil {
		return err
	}
	if raw, found := install.Text(); found {
		return s.compare(raw)
	}
	if s.known.Load() != nil {
		return conn.Unavailable("checking", errors.New("the install is gone: was Redis wiped? The keyring is written back with the next poll"))
	}
	return nil
}

// Format implements store.Sealer.
func (s *Installs) Format() int { return s.Codec.Format() }

// RaiseFormat implements store.Sealer.
func (s *Installs) RaiseFormat(ctx context.Context, format int) error {
	return s.RewriteInstall(ctx, func(in *store.Install) { in.Schema = max(in.Schema, format) })
}

// RewriteInstall changes the install record in one step, and notifies the other replicas.
func (s *Installs) RewriteInstall(ctx context.Context, change func(*store.Install)) error {
	for {
		if _, err := s.Install(ctx); err != nil {
			return err
		}
		was := s.known.Load()
		next := was.Install
		change(&next)
		raw, err := s.Codec.EncodeInstall(next)
		if err != nil {
			return err
		}
		if raw == was.raw {
			return nil
		}
		swap := script.Rewrite.Call([]string{s.Key.Of(layout.Install)}, was.raw, raw)
		if err := s.Channel.DoAndNotify(ctx, "changing the install", replica.KeyringChanged(), swap); err != nil {
			return err
		}
		if swap.Number() == 1 {
			return s.compare(raw)
		}
	}
}
