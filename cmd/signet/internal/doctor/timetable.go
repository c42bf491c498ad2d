package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/keys"
	"signet/keys/pkcs11"
	"signet/keys/privatekey"
)

// verifier is a library or product that fetches the key set at most once in a time.
type verifier struct {
	name   string
	caches time.Duration
}

// slowVerifiers lists those that do not always fetch the key set again when a token names an unknown key, in the order of
// their cache times.
func slowVerifiers() []verifier {
	return []verifier{
		{"Envoy", 10 * time.Minute},
		{"jwx (Go)", 15 * time.Minute},
		{"keyfunc (Go)", time.Hour}, // fetches again, but once in 5 minutes
		{"Istio", 80 * time.Minute},
		{"AWS API Gateway", 2 * time.Hour},
		{"Auth0's jwks for Java and Ktor", 10 * time.Hour}, // fetches again, within a rate limit
	}
}

func (d *doctor) examineTimetable(cfg config.Config) {
	const check = "key timetable"
	tt := cfg.Keys.Timetable()
	if !d.check(check, cfg.Keys.CheckTimetable(), fmt.Sprintf("a key is published %s before it signs, signs for %s and is kept for %s (preset %s)",
		cli.RoundDuration(tt.Publish), cli.RoundDuration(tt.Active), cli.RoundDuration(tt.Retain), cfg.Keys.Preset)) {
		return
	}
	for _, margin := range cfg.Keys.TimetableMargins() {
		d.note(check, stateOK, margin)
	}
	d.examineVerifiers(tt.VerifierBudget())
}

// examineVerifiers compares the time that verifiers have to fetch a new key with the cache times of known ones.
func (d *doctor) examineVerifiers(budget time.Duration) {
	var inTime, late []string
	longest := time.Duration(0)
	for _, v := range slowVerifiers() {
		text := v.name + " " + hoursAndMinutes(v.caches)
		if v.caches <= budget {
			inTime = append(inTime, text)
			continue
		}
		late, longest = append(late, text), v.caches
	}
	const check = "verifiers"
	text := fmt.Sprintf("one that caches the key set for up to %s has every key before it signs", hoursAndMinutes(budget))
	if len(inTime) > 0 {
		text += "; that is so for " + strings.Join(inTime, ", ")
	}
	d.note(check, stateOK, text)
	if len(late) > 0 {
		d.note(check, stateWarning, fmt.Sprintf("these look for new keys less often than that, and could refuse the tokens of one: %s; if you use them, raise keys.publish by up to %s",
			strings.Join(late, ", "), hoursAndMinutes(longest-budget)))
	}
}

// hoursAndMinutes writes a duration to the minute, without rounding to one unit.
func hoursAndMinutes(d time.Duration) string {
	if d < time.Minute {
		return d.String()
	}
	text := strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

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
		if k.Held == privatekey.Local {
			local++
		} else {
			remote++
		}
	}
	d.check("keys.hsm", m.Probe(ctx), fmt.Sprintf("%d signing keys are in it and those that sign do so; %d are local", remote, local))
}
