package keys

import "time"

// Step names one change of the keyring, or a thing that a replica noticed about it.
type Step string

// Written into the keyring; told once per install, by the replica whose proposal won.
const (
	StepCreated   Step = "created"     // a key was made; At is when it is published
	StepScheduled Step = "scheduled"   // an activation was set anew; At is when
	StepActivated Step = "activated"   // a key began to sign
	StepRetired   Step = "retired"     // a key stopped signing
	StepRemoved   Step = "removed"     // a key left the key set for good
	StepRevoked   Step = "revoked"     // an operator took a key out of service
	StepLeaving   Step = "leaving"     // an algorithm nobody configures ends at At, unless somebody objects
	StepKept      Step = "kept"        // somebody objected
	StepRewrapped Step = "rewrapped"   // the keyring was sealed under another master key
	StepReset     Step = "clock_reset" // an operator declared the latest time that was seen wrong; At is the time of then
)

// Noticed by one replica; told by each.
const (
	StepUnreadable Step = "unreadable" // the keyring could not be read; Err says why
	StepReadable   Step = "readable"   // it can be read again
	StepRestored   Step = "restored"   // the store had an older keyring, or none: this replica wrote its own back

	StepClockOff      Step = "clock_off"      // this replica's clock is wrong: it signs nothing
	StepClockRight    Step = "clock_right"    // it is right again
	StepClockDisputed Step = "clock_disputed" // the store's clock is wrong, by those of several replicas: keys do not rotate
	StepClockAgreed   Step = "clock_agreed"   // it is no longer
)

// Transition is one change that Advance made or found.
type Transition struct {
	Step Step
	KID  string // empty for a step about an algorithm
	Alg  string
	At   time.Time
}

// Event is a Transition that has been written, or something that a replica noticed.
type Event struct {
	Transition
	Version uint64        // of the keyring
	Err     error         // StepUnreadable only
	Offset  time.Duration // steps about a clock only: how far this replica's is ahead of the other
}
