package store

import (
	"context"
	"time"
)

// Bucket is one thing that attempts are counted against.
type Bucket struct {
	Key    string        // opaque; holds no username or address in the clear
	Limit  int           // attempts that are free
	Window time.Duration // how long counts are remembered
	// Backoff: each attempt above Limit doubles the wait, from one second up to this; the window
	// then counts from the last attempt. Zero: above Limit nothing until the window, counted from
	// the first attempt, is over.
	Backoff time.Duration
	// Same, where not empty, tells the attempt apart: one with the Same of the attempt before it,
	// at most SameFor later, is let through and not counted again. (Some client libraries send every failed
	// request twice.)
	Same    []byte
	SameFor time.Duration
}

// Attempt is one try at something that may be tried only so often.
type Attempt struct {
	// Place is what the buckets have in common, such as the caller's network. The same key in two
	// places is two buckets. Backends keep a place together, so that one step decides about all of it.
	Place   string
	Buckets []Bucket
}

// Forgiveness takes back what attempts at one place have counted.
type Forgiveness struct {
	Place  string
	Clear  []string // keys of buckets to forget
	Refund []string // keys of buckets to give one attempt back to
}

// Throttle counts attempts, shared between replicas where the backend is. Counts survive an orderly
// restart; a crash may lose the last second of them.
type Throttle interface {
	// Take counts one attempt against every bucket, or, when any refuses, against none, and returns
	// how long to wait before the next try; 0 means go ahead.
	Take(ctx context.Context, now time.Time, a Attempt) (wait time.Duration, err error)
	// Forgive does what f says. Keys that are unknown are no error.
	Forgive(ctx context.Context, f Forgiveness) error
}
