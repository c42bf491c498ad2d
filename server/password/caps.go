package password

import "fmt"

// Caps bound what a hash that was imported may cost. A zero field means its default.
type Caps struct {
	Memory     uint32 // of argon2, in KiB; 0: 262144 (256 MiB)
	Work       uint32 // of argon2, in KiB × passes; 0: 1048576, four passes over 256 MiB
	BcryptCost int    // 0: 14, about a second
}

func (c Caps) withDefaults() Caps {
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

// raised is c with room for what the policy itself writes.
func (c Caps) raised(policy Params) Caps {
	c.Memory = max(c.Memory, policy.Memory)
	c.Work = max(c.Work, policy.Memory*policy.Time)
	return c
}

// Validate reports every field that cannot be used.
func (c Caps) Validate() error {
	c = c.withDefaults()
	if c.BcryptCost < bcryptMinCost || c.BcryptCost > bcryptMaxCost {
		return fmt.Errorf("bcrypt cost: %d is not within %d to %d", c.BcryptCost, bcryptMinCost, bcryptMaxCost)
	}
	if c.Memory > maxMemory || c.Work > maxWork {
		return fmt.Errorf("argon2: at most %d KiB and %d KiB × passes", maxMemory, maxWork)
	}
	return nil
}

// price is what checking one password takes.
type price struct {
	memory uint64 // bytes
	work   uint64 // in KiB × passes of argon2
	lanes  int    // threads of its own
}

// bcryptWork is one unit of bcrypt's 2^cost, in those of argon2: measured on one core, 61 µs to 0.7.
const bcryptWork = 87

func (h argon2Hash) price() price {
	p := h.params
	return price{memory: uint64(p.Memory) << 10, work: uint64(p.Memory) * uint64(p.Time), lanes: int(p.Threads)}
}

func (h argon2Hash) refused(c Caps) error {
	switch p := h.params; {
	case p.Memory > c.Memory:
		return fmt.Errorf("argon2 memory of %d KiB is more than the %d KiB that are allowed here", p.Memory, c.Memory)
	case uint64(p.Memory)*uint64(p.Time) > uint64(c.Work):
		return fmt.Errorf("argon2 with %d passes over %d KiB is more than the %d KiB in all that are allowed here", p.Time, p.Memory, c.Work)
	}
	return nil
}

func (h bcryptHash) cost() int { return 10*int(h.encoded[4]-'0') + int(h.encoded[5]-'0') }

func (h bcryptHash) price() price {
	return price{memory: 8 << 10, work: bcryptWork << h.cost(), lanes: 1}
}

func (h bcryptHash) refused(c Caps) error {
	if h.cost() > c.BcryptCost {
		return fmt.Errorf("bcrypt cost %d is more than the %d that is allowed here", h.cost(), c.BcryptCost)
	}
	return nil
}
