package store

import (
	"context"
	"time"
)

// Clocked is a backend with a clock of its own, on another machine than this process. A replica
// compares the two whenever it reads the keyring. A backend in this process has the same clock, and
// need not be one.
type Clocked interface {
	// LoadKeyringAt is Keyrings.LoadKeyring and, in the same round trip, what the backend's clock
	// showed at some moment of the call; zero where it is not known.
	LoadKeyringAt(ctx context.Context) (version uint64, document []byte, at time.Time, err error)
}
