package keys

import (
	"time"

	"signet/keys/rotation"
)

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
