package hash

import "fmt"

// Caps bound what a hash that was imported may cost. A zero field means its default.
type Caps struct {
	Memory     uint32 // of argon2, in KiB; 0: 262144 (256 MiB)
	Work       uint32 // of argon2, in KiB × passes; 0: 1048576, four passes over 256 MiB
	BcryptCost int    // 0: 14, about a second
}

// WithDefaults returns the caps with every zero field set.
func (c Caps) WithDefaults() Caps {
	if c.Memory == 0 {
		c.Memory = 256 << 10
	}
	if c.Work == 0 {
		c.Work = 1 << 20
	}
	if c.BcryptCost == 0 {
		c.BcryptCost = 14
	}
	return c
}

// Raised is c with room for what the policy itself writes.
func (c Caps) Raised(policy Params) Caps {
	c.Memory = max(c.Memory, policy.Memory)
	c.Work = max(c.Work, policy.Memory*policy.Time)
	return c
}

// Validate reports every field that cannot be used.
func (c Caps) Validate() error {
	c = c.WithDefaults()
	if c.BcryptCost < bcryptMinCost || c.BcryptCost > bcryptMaxCost {
		return fmt.Errorf("bcrypt cost: %d is not within %d to %d", c.BcryptCost, bcryptMinCost, bcryptMaxCost)
	}
	if c.Memory > maxMemory || c.Work > maxWork {
		return fmt.Errorf("argon2: at most %d KiB and %d KiB × passes", maxMemory, maxWork)
	}
	return nil
}

// Check reports whether the hash may be used: nil, or an ErrFormat that gives what it costs and what is allowed.
func (c Caps) Check(h Hash) error {
	c = c.WithDefaults()
	limited, ok := h.(interface{ capped(Caps) error })
	if !ok {
		return nil
	}
	if err := limited.capped(c); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}
