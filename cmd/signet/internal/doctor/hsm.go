package doctor

import (
	"context"
	"fmt"

	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/keys"
	"signet/keys/pkcs11"
)

// examineHSM logs in to the configured token and checks its algorithms. done logs out again.
func (d *doctor) examineHSM(ctx context.Context, cfg config.Config) (token pkcs11.Token, done func()) {
	token, err := install.OpenHSM(cfg, d.app.Getenv)
	if err != nil {
		d.check("keys.hsm", err, "")
	}
	if token == nil {
		return nil, func() {}
	}
	d.check("keys.hsm", install.CheckHSM(ctx, cfg, token), fmt.Sprintf("token %q takes the PIN and can do what is asked of it", cfg.Keys.HSM.Token))
	return token, func() { token.Close() }
}

// tryHSM makes a signature with each remote key, and reports how many keys are remote.
func (d *doctor) tryHSM(ctx context.Context, m *keys.Manager) {
	if !m.Remote() {
		return
	}
	var local, remote int
	for _, k := range m.Keys() {
		if k.Held == keys.Local {
			local++
		} else {
			remote++
		}
	}
	d.check("keys.hsm", m.Probe(ctx), fmt.Sprintf("%d signing keys are in it and those that sign do so; %d are local", remote, local))
}
