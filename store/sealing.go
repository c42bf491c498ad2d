package store

import "context"

// Sealer is a backend whose records can be given seals while it is in use; see package seal.
type Sealer interface {
	// Format is the format of the records that the backend writes at this moment.
	Format() int
	// RaiseFormat raises Install.Schema to format, for all replicas. They follow with their next poll.
	// One that is as high already is left alone.
	RaiseFormat(ctx context.Context, format int) error
	// SealRecords rewrites every record that has no seal, an older format or the seal of a master key that
	// does not seal any more, and calls progress now and then. It may be broken off and begun again. A record
	// that does not verify ends it: it is not rewritten.
	SealRecords(ctx context.Context, progress func(Sealing)) (Sealing, error)
}

// Sealing is how far SealRecords has come.
type Sealing struct {
	Looked int `json:"looked"` // records that were looked at
	Sealed int `json:"sealed"` // those of them that were rewritten
}
