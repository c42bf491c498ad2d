package hash

import (
	"errors"
	"fmt"
)

// Params are the costs of argon2id (RFC 9106). A zero field means its default: 19456 KiB, 2 passes,
// 1 thread, which is the least that is recommended for interactive logins.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8  // lanes
}

// What a hash may ask for, our own or an imported one. libsodium's "sensitive" (1 GiB, 4 passes)
// is just inside; it takes seconds.
const (
	maxMemory = 1 << 20     // KiB: 1 GiB
	maxWork   = 4 * 1 << 20 // KiB × passes
)

// WithDefaults returns the costs with every zero field set.
func (p Params) WithDefaults() Params {
	if p.Memory == 0 {
		p.Memory = 19456
	}
	if p.Time == 0 {
		p.Time = 2
	}
	if p.Threads == 0 {
		p.Threads = 1
	}
	return p
}

// Validate reports every field that cannot be used. Zero fields stand for their defaults.
func (p Params) Validate() error {
	p = p.WithDefaults()
	var errs []error
	if least := 8 * uint32(p.Threads); p.Memory < least {
		errs = append(errs, fmt.Errorf("argon2 memory: %d KiB is less than 8 a thread (%d)", p.Memory, least))
	}
	if p.Memory > maxMemory {
		errs = append(errs, fmt.Errorf("argon2 memory: %d KiB is more than %d", p.Memory, maxMemory))
	} else if uint64(p.Memory)*uint64(p.Time) > maxWork {
		errs = append(errs, fmt.Errorf("argon2 time: %d passes over %d KiB are more than %d KiB in all", p.Time, p.Memory, maxWork))
	}
	return errors.Join(errs...)
}

// below reports whether any cost is less than policy's.
func (p Params) below(policy Params) bool {
	return p.Memory < policy.Memory || p.Time < policy.Time || p.Threads < policy.Threads
}
