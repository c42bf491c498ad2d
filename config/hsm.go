package config

import (
	"path/filepath"
	"time"
)

// standardHSM is no HSM; whatever the preset, it is asked in this way when there is one.
func standardHSM() HSM { return HSM{Timeout: 2 * time.Second, Concurrency: 8} }

func (c Config) checkHSM(k *checker) {
	h := c.Keys.HSM
	switch {
	case h.Module == "" && h.Token != "":
		k.add("keys.hsm.module", "is empty and keys.hsm.token is %q; set both, or neither for keys without an HSM", h.Token)
	case h.Module != "" && h.Token == "":
		k.add("keys.hsm.token", "is empty; set the label of the token that is to hold the keys")
	case h.Module != "" && !filepath.IsAbs(h.Module):
		// A name alone would be looked for in the system's library path, and could be anybody's.
		k.add("keys.hsm.module", "%q is not an absolute path; write where the library is, such as /usr/lib/softhsm/libsofthsm2.so", h.Module)
	}
	// A request is answered within 10 s whatever happens.
	k.duration("keys.hsm.timeout", h.Timeout, 50*time.Millisecond, 8*time.Second)
	k.number("keys.hsm.concurrency", h.Concurrency, 1, 1000)
}
