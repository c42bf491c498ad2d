package config

import (
	"strings"
	"testing"
	"time"
)

func TestHSM(t *testing.T) {
	for _, tc := range []struct {
		name  string
		hsm   HSM
		field string // that is complained about; empty: none
	}{
		{"none", HSM{Timeout: time.Second, Concurrency: 1}, ""},
		{"whole", HSM{Module: "/lib/x.so", Token: "signet", Timeout: time.Second, Concurrency: 1}, ""},
		{"no token", HSM{Module: "/lib/x.so", Timeout: time.Second, Concurrency: 1}, "keys.hsm.token"},
		{"no module", HSM{Token: "signet", Timeout: time.Second, Concurrency: 1}, "keys.hsm.module"},
		{"module of the library path", HSM{Module: "x.so", Token: "signet", Timeout: time.Second, Concurrency: 1}, "keys.hsm.module"},
		{"longer than a request", HSM{Timeout: time.Minute, Concurrency: 1}, "keys.hsm.timeout"},
		{"nothing at once", HSM{Timeout: time.Second}, "keys.hsm.concurrency"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := valid()
			c.Keys.HSM = tc.hsm
			problems := c.problems()
			switch {
			case tc.field == "" && len(problems) > 0:
				t.Errorf("got %v, want none", problems)
			case tc.field != "" && (len(problems) != 1 || problems[0].Field != tc.field):
				t.Errorf("got %v, want one about %s", problems, tc.field)
			}
		})
	}
}

// The PIN has no place in the file, and its file is found from there.
func TestPINIsNotInTheFile(t *testing.T) {
	text := issuerLine + "keys: {hsm: {module: /x.so, token: t, pin: 1234}}\n"
	if _, _, err := load("signet.yaml", []byte(text), "/etc", nil); err == nil || strings.Contains(err.Error(), "1234") {
		t.Errorf("got %v, want it refused and not repeated", err)
	}
	text = strings.Replace(text, "pin: 1234", "pin_file: pin", 1)
	if c, _, err := load("signet.yaml", []byte(text), "/etc", nil); err != nil || c.Keys.HSM.PINFile != "/etc/pin" {
		t.Errorf("got %q, %v, want /etc/pin", c.Keys.HSM.PINFile, err)
	}
}
