package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"signet/keys/masterkey"
)

// MarkStorage keeps one small document of a replica outside the store, so that a store that was set
// back is noticed at the next start. It is not shared by replicas.
type MarkStorage interface {
	// LoadMark returns what SaveMark wrote last; nil without an error where there is nothing.
	LoadMark() ([]byte, error)
	// SaveMark replaces it in one step that survives a crash.
	SaveMark([]byte) error
}

// Mark is what a replica remembers of the keyring over a restart.
type Mark struct {
	Install     string    `json:"install"`
	Version     uint64    `json:"version"`           // the highest version of the keyring that it has held
	Revoked     []string  `json:"revoked,omitempty"` // kids, the newest last
	SeenAt      time.Time `json:"seen_at"`           // the latest time that was seen
	ClockResets uint32    `json:"clock_resets,omitempty"`
}

const (
	markEvery      = time.Minute // how often the time alone is written
	maxMarkRevoked = 1000        // beyond them the oldest are left to the keyring
	maxMark        = 1 << 20
)

// MarkProblem is what is wrong between a mark and the keyring.
type MarkProblem string

// The kinds of problem.
const (
	MarkDamaged  MarkProblem = "damaged"  // it is not a mark
	MarkUnproved MarkProblem = "unproved" // none of the master keys made it, or it was changed since
	MarkForeign  MarkProblem = "foreign"  // it is of another install
	MarkNewer    MarkProblem = "newer"    // the keyring in the store is older than the mark
	MarkRevoked  MarkProblem = "revoked"  // the keyring has a key in use that the mark knows to be revoked
)

// MarkError: the mark and the keyring do not fit together. Nothing was changed.
type MarkError struct {
	Problem MarkProblem
	Mark    Mark   // as far as it can be believed; empty for MarkDamaged and MarkUnproved
	Install string // of the keyring
	Version uint64 // of the keyring
	KID     string // MarkRevoked only
}

// Error implements error.
func (e *MarkError) Error() string {
	switch e.Problem {
	case MarkForeign:
		return fmt.Sprintf("the mark is of install %s, and the store holds install %s", e.Mark.Install, e.Install)
	case MarkNewer:
		return fmt.Sprintf("the store holds version %d of the keyring, and this server has held version %d: the store was set back", e.Version, e.Mark.Version)
	case MarkRevoked:
		return fmt.Sprintf("the keyring in the store has key %s in use, and this server knows that it was revoked: the store was set back", e.KID)
	case MarkUnproved:
		return "the mark was made with another master key, or was changed since"
	}
	return "the mark is damaged"
}

// markState is what a Manager knows about its mark.
type markState struct {
	saved   *Mark // nil: none yet
	at      time.Time
	failing bool
}

// markLine is a mark as it is written: the mark itself, and a MAC over its bytes by each master key
// that was live, so that any one of them proves it.
type markLine struct {
	Mark json.RawMessage   `json:"mark"`
	MACs map[string][]byte `json:"macs"` // by the hint of the master key
}

func (c Config) markMAC(key masterkey.Key, mark []byte) []byte {
	derived := key.Derive("signet keyring mark v1")
	mac := hmac.New(sha256.New, derived[:])
	mac.Write(mark)
	return mac.Sum(nil)
}

func (c Config) encodeMark(mark Mark) ([]byte, error) {
	body, err := json.Marshal(mark)
	if err != nil {
		return nil, fmt.Errorf("encoding the mark: %w", err)
	}
	line := markLine{Mark: body, MACs: map[string][]byte{}}
	for _, key := range c.Master {
		line.MACs[key.Hint()] = c.markMAC(key, body)
	}
	text, err := json.Marshal(line)
	if err != nil {
		return nil, fmt.Errorf("encoding the mark: %w", err)
	}
	return append(text, '\n'), nil
}

// decodeMark believes nothing before a MAC has proved it.
func (c Config) decodeMark(text []byte) (Mark, error) {
	var line markLine
	if len(text) > maxMark || json.Unmarshal(text, &line) != nil || len(line.Mark) == 0 {
		return Mark{}, &MarkError{Problem: MarkDamaged, Install: c.InstallID}
	}
	proved := false
	for _, key := range c.Master {
		if mac := line.MACs[key.Hint()]; hmac.Equal(mac, c.markMAC(key, line.Mark)) {
			proved = true
		}
	}
	if !proved {
		return Mark{}, &MarkError{Problem: MarkUnproved, Install: c.InstallID}
	}
	var mark Mark
	if json.Unmarshal(line.Mark, &mark) != nil {
		return Mark{}, &MarkError{Problem: MarkDamaged, Install: c.InstallID}
	}
	return mark, nil
}

// ReadMark returns the mark in cfg.Mark; ok is false where there is none. A MarkError says that it is
// damaged, unproved, or another install's; in the last case the mark comes with it.
func ReadMark(cfg Config) (mark Mark, ok bool, err error) {
	text, err := cfg.Mark.LoadMark()
	if err != nil {
		return Mark{}, false, fmt.Errorf("reading the mark of the keyring: %w", err)
	}
	if text == nil {
		return Mark{}, false, nil
	}
	if mark, err = cfg.decodeMark(text); err != nil {
		return Mark{}, false, err
	}
	if mark.Install != cfg.InstallID {
		return mark, false, &MarkError{Problem: MarkForeign, Mark: mark, Install: cfg.InstallID}
	}
	return mark, true, nil
}

// openMark compares the keyring that was found at the start with the mark of the last run.
func (m *Manager) openMark(version uint64, ring Ring) error {
	if m.cfg.Mark == nil {
		return nil
	}
	mark, ok, err := ReadMark(m.cfg)
	if err != nil {
		return err
	}
	if !ok {
		m.cfg.Log.Info("this server starts here for the first time, or its mark was removed: it goes by the keyring in the store", "version", version)
		return nil
	}
	if version < mark.Version {
		return &MarkError{Problem: MarkNewer, Mark: mark, Install: m.cfg.InstallID, Version: version}
	}
	for _, kid := range mark.Revoked {
		if ring.unrevoked(kid) {
			return &MarkError{Problem: MarkRevoked, Mark: mark, Install: m.cfg.InstallID, Version: version, KID: kid}
		}
	}
	m.clock.Merge(mark.SeenAt, mark.ClockResets)
	m.marked.saved, m.marked.at = &mark, m.cfg.Now()
	return nil
}

// mark is what is to be remembered now.
func (m *Manager) mark() Mark {
	s := m.state.Load()
	mark := Mark{Install: m.cfg.InstallID, Version: s.version, SeenAt: m.clock.Latest().UTC(), ClockResets: m.clock.Resets()}
	if old := m.marked.saved; old != nil {
		mark.Revoked = slices.Clone(old.Revoked)
	}
	for _, kid := range s.ring.revoked() {
		if !slices.Contains(mark.Revoked, kid) {
			mark.Revoked = append(mark.Revoked, kid)
		}
	}
	if n := len(mark.Revoked) - maxMarkRevoked; n > 0 {
		mark.Revoked = mark.Revoked[n:]
	}
	return mark
}

// saveMark writes the mark when the keyring has changed, and the time once a minute. A replica that
// cannot write goes on: it only remembers nothing over its next restart, and the log says so.
func (m *Manager) saveMark() {
	if m.cfg.Mark == nil || m.state.Load() == nil {
		return
	}
	mark := m.mark()
	if old := m.marked.saved; old != nil && old.Version == mark.Version && old.ClockResets == mark.ClockResets &&
		slices.Equal(old.Revoked, mark.Revoked) && mark.SeenAt.Sub(old.SeenAt) < markEvery {
		return
	}
	err := m.writeMark(mark)
	switch {
	case err != nil && !m.marked.failing:
		m.cfg.Log.Warn("the mark of the keyring cannot be written: after a restart this server would not notice a store that was set back", "error", err)
	case err == nil && m.marked.failing:
		m.cfg.Log.Info("the mark of the keyring can be written again")
	}
	m.marked.failing = err != nil
}

func (m *Manager) writeMark(mark Mark) error {
	text, err := m.cfg.encodeMark(mark)
	if err == nil {
		err = m.cfg.Mark.SaveMark(text)
	}
	if err != nil {
		return err
	}
	m.marked.saved, m.marked.at = &mark, m.cfg.Now()
	m.markedAt.Store(m.marked.at.UnixMilli())
	return nil
}

// Remember takes over what a mark of this install has: kids that were revoked, and the latest time seen.
// It is for a store that was just put back.
func (m *Manager) Remember(mark Mark) {
	m.clock.Merge(mark.SeenAt, mark.ClockResets)
	m.stepping.Lock()
	defer m.stepping.Unlock()
	m.marked.saved = &Mark{Revoked: mark.Revoked}
}

// ReplaceMark writes a mark of this keyring in the place of whatever is there. It is for commands that
// have just filled the store.
func (m *Manager) ReplaceMark(storage MarkStorage) error {
	m.stepping.Lock()
	defer m.stepping.Unlock()
	m.cfg.Mark = storage
	return m.writeMark(m.mark())
}

// PeekMark reads a mark without a proof of it; ok is false where it is none. It is for commands that have
// no master key.
func PeekMark(storage MarkStorage) (mark Mark, ok bool) {
	text, err := storage.LoadMark()
	var line markLine
	if err != nil || json.Unmarshal(text, &line) != nil || json.Unmarshal(line.Mark, &mark) != nil {
		return Mark{}, false
	}
	return mark, mark.Install != ""
}

// MarkedAt is when this replica last wrote its mark; zero: not since the start.
func (m *Manager) MarkedAt() time.Time {
	if ms := m.markedAt.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}
