// Package clockcheck decides whether the clock of this machine can be trusted.
//
// Samples are comparisons with other clocks: that of the storage, and those of the other replicas as
// their heartbeats show them. Evaluate turns them into a Status by majority, this clock included. The
// storage alone does not decide, because a jump of its clock would then stop all replicas, which agree
// with each other. Where the votes are even (a single replica and its storage; two replicas that
// differ, with the storage on the side of one) the storage decides: one side must be right, and all
// replicas share one storage. A storage that is outvoted is Disputed.
//
// A Clock keeps the Status of the last comparison. Between two comparisons it notices by the monotonic
// clock that the wall clock was set or that the machine slept.
//
// A Clock also keeps the latest time that was seen. Where there is no other clock to compare with, a
// clock that is behind it by more than the tolerance is wrong. It is the caller's to persist that time.
package clockcheck
