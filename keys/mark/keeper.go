package mark

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signet/keys/masterkey"
)

// saveEvery is how often the latest time alone is written.
const saveEvery = time.Minute

// Keeper keeps the mark of a running replica up to date. Its methods may be called concurrently;
// SavedAt does not wait for a write.
type Keeper struct {
	install string
	master  []masterkey.Key
	now     func() time.Time
	log     *slog.Logger

	mu      sync.Mutex
	storage Storage // nil: nothing is kept
	saved   *Mark   // nil: none yet
	failing bool

	savedAt atomic.Int64 // in Unix milliseconds; 0: not yet
}

// NewKeeper returns a Keeper of the install's mark in storage; with a nil storage it keeps nothing.
func NewKeeper(storage Storage, install string, master []masterkey.Key, now func() time.Time, log *slog.Logger) *Keeper {
	return &Keeper{storage: storage, install: install, master: master, now: now, log: log}
}

// Check compares the keyring that was found at the start with the mark of the last run, and returns that
// mark, or nil where there is none. unrevoked reports whether the keyring has a kid, and not as that of a revoked key.
func (k *Keeper) Check(version uint64, unrevoked func(kid string) bool) (*Mark, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.storage == nil {
		return nil, nil
	}
	mark, ok, err := Read(k.storage, k.install, k.master)
	if err != nil {
		return nil, err
	}
	if !ok {
		k.log.Info("this server starts here for the first time, or its mark was removed: it goes by the keyring in the store", "version", version)
		return nil, nil
	}
	if version < mark.Version {
		return nil, &Error{Problem: Newer, Mark: mark, Install: k.install, Version: version}
	}
	for _, kid := range mark.Revoked {
		if unrevoked(kid) {
			return nil, &Error{Problem: Revoked, Mark: mark, Install: k.install, Version: version, KID: kid}
		}
	}
	k.saved = &mark
	return &mark, nil
}

// Save writes the mark when the keyring has changed, and the latest time once a minute. Kids of an earlier
// mark are kept. A replica that cannot write continues, and logs that it remembers nothing over its next
// restart.
func (k *Keeper) Save(mark Mark) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.storage == nil {
		return
	}
	mark = k.complete(mark)
	if old := k.saved; old != nil && old.Version == mark.Version && old.ClockResets == mark.ClockResets &&
		slices.Equal(old.Revoked, mark.Revoked) && mark.SeenAt.Sub(old.SeenAt) < saveEvery {
		return
	}
	err := k.write(mark)
	switch {
	case err != nil && !k.failing:
		k.log.Warn("the mark of the keyring cannot be written: after a restart this server would not notice a store that was set back", "error", err)
	case err == nil && k.failing:
		k.log.Info("the mark of the keyring can be written again")
	}
	k.failing = err != nil
}

// complete adds the install, and the kids of the mark before.
func (k *Keeper) complete(mark Mark) Mark {
	mark.Install = k.install
	if k.saved != nil {
		revoked := slices.Clone(k.saved.Revoked)
		for _, kid := range mark.Revoked {
			if !slices.Contains(revoked, kid) {
				revoked = append(revoked, kid)
			}
		}
		mark.Revoked = revoked
	}
	if n := len(mark.Revoked) - maxRevoked; n > 0 {
		mark.Revoked = mark.Revoked[n:]
	}
	return mark
}

func (k *Keeper) write(mark Mark) error {
	text, err := encode(mark, k.master)
	if err == nil {
		err = k.storage.SaveMark(text)
	}
	if err != nil {
		return err
	}
	k.saved = &mark
	k.savedAt.Store(k.now().UnixMilli())
	return nil
}

// Remember takes over the revoked kids of a mark of this install. It is for a store that was just put back.
func (k *Keeper) Remember(revoked []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saved = &Mark{Revoked: revoked}
}

// Replace writes the mark in the place of whatever is in storage, and keeps it there from now on. It is for
// commands that have just filled the store.
func (k *Keeper) Replace(storage Storage, mark Mark) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.storage = storage
	return k.write(k.complete(mark))
}

// SavedAt returns when the mark was last written; zero: not since the start.
func (k *Keeper) SavedAt() time.Time {
	if ms := k.savedAt.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}
