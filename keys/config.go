package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"signet/keys/jose"
	"signet/keys/mark"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

// defaultPoll is how often a replica reads the keyring.
const defaultPoll = 10 * time.Second

// Config configures Init and Open. Storage, InstallID and Master are required.
type Config struct {
	Storage    Storage
	InstallID  string              // the install that the keyring belongs to; the document is bound to it
	Master     []masterkey.Key     // one, or the new and the old one; any of them opens; the first seals a new install, and any other after Rewrap
	Timetable  timetable.Timetable // the zero Timetable means timetable.Default
	Algorithms []string            // ES256, RS256, PS256, EdDSA; the first is the primary; empty means ES256
	Remote     privatekey.Remote   // keys in an HSM or a KMS; the zero value means none
	Sealed     bool                // Init makes a keyring that takes every record of the store as sealed; see document.Records
	Poll       time.Duration       // how often Run reads the keyring, ± 20 %; 0 means 10 s
	Now        func() time.Time    // nil means time.Now
	Mark       mark.Storage        // keeps the mark of this replica; nil: it has none
	AtLeast    uint64              // what is written has this version or a higher one; for Recover
	Log        *slog.Logger        // nil discards
	OnEvent    func(Event)         // called for every Event, one at a time, by Step and what changes keys; must not block; may be nil

	// Writing is called before a keyring is written, with the events that OnEvent is called for if that succeeds. It
	// returns the context for Storage.SwapKeyring, so that the storage can keep the events with the keyring. It must not
	// block; it may be nil.
	Writing func(ctx context.Context, events []Event) context.Context
}

// withDefaults fills in what zero stands for and reports every problem at once.
func (c Config) withDefaults() (Config, error) {
	var problems []error
	if c.Storage == nil {
		problems = append(problems, errors.New("no storage"))
	}
	if c.InstallID == "" {
		problems = append(problems, errors.New("no install id"))
	}
	if n := len(c.Master); n == 0 || n > masterkey.MaxKeys || slices.ContainsFunc(c.Master, masterkey.Key.IsZero) {
		problems = append(problems, fmt.Errorf("%d master keys, want one or the new and the old one", n))
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{jose.ES256}
	}
	for i, alg := range c.Algorithms {
		if !slices.Contains(jose.Algorithms, alg) {
			problems = append(problems, fmt.Errorf("algorithm %q is not one of %v", alg, jose.Algorithms))
		}
		if slices.Contains(c.Algorithms[:i], alg) {
			problems = append(problems, fmt.Errorf("algorithm %q is named twice", alg))
		}
	}
	if err := c.Remote.Validate(); err != nil {
		problems = append(problems, err)
	}
	if c.Timetable == (timetable.Timetable{}) {
		c.Timetable = timetable.Default()
	}
	if err := c.Timetable.Validate(); err != nil {
		problems = append(problems, err)
	}
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	if err := c.Timetable.CheckPoll(c.Poll); err != nil {
		problems = append(problems, err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Writing == nil {
		c.Writing = func(ctx context.Context, _ []Event) context.Context { return ctx }
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	c.Algorithms = slices.Clone(c.Algorithms)
	return c, errors.Join(problems...)
}

// Noticed by one replica; each replica reports them.
const (
	StepUnreadable rotation.Step = "unreadable" // the keyring could not be read; Err has the reason
	StepReadable   rotation.Step = "readable"   // it can be read again
	StepRestored   rotation.Step = "restored"   // the store had an older keyring, or none: this replica wrote its own back

	StepClockOff      rotation.Step = "clock_off"      // this replica's clock is wrong: it signs nothing
	StepClockRight    rotation.Step = "clock_right"    // it is right again
	StepClockDisputed rotation.Step = "clock_disputed" // the store's clock is wrong, by those of several replicas: keys do not rotate
	StepClockAgreed   rotation.Step = "clock_agreed"   // it is right again
)

// Event is a Transition that has been written, which the replica that wrote it reports, or something that
// a replica noticed.
type Event struct {
	rotation.Transition
	Version uint64        // of the keyring
	Err     error         // StepUnreadable only
	Offset  time.Duration // steps about a clock only: how far this replica's is ahead of the other
}
