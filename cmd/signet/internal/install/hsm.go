package install

import (
	"context"
	"errors"
	"fmt"

	"signet/cmd/signet/internal/cli"
	"signet/config"
	"signet/keys/pkcs11"
	"signet/keys/privatekey"
)

const hsmPINVariable = "SIGNET_HSM_PIN"

// OpenHSM returns the token that holds signing keys, or nil if none is configured. It does not call the token yet.
func OpenHSM(cfg config.Config, getenv func(string) string) (pkcs11.Token, error) {
	h := cfg.Keys.HSM
	if h.Module == "" {
		return nil, nil
	}
	if !pkcs11.Built {
		return nil, fmt.Errorf("keys.hsm: %w", pkcs11.ErrNotBuilt) // before a PIN is asked for
	}
	pin, err := secretSource("keys.hsm.pin_file", h.PINFile, hsmPINVariable, getenv)
	if err != nil {
		return nil, err
	}
	if pin == nil {
		return nil, errors.New("keys.hsm: there is no PIN; name its file in keys.hsm.pin_file, or set " + hsmPINVariable)
	}
	token, err := pkcs11.Open(pkcs11.Config{Module: h.Module, Token: h.Token, PIN: pin})
	if err != nil {
		return nil, fmt.Errorf("keys.hsm: %w", err)
	}
	return token, nil
}

// RemoteKeys returns the configuration of the token for the keyring. token may be nil.
func RemoteKeys(cfg config.Config, token pkcs11.Token) privatekey.Remote {
	if token == nil {
		return privatekey.Remote{}
	}
	h := cfg.Keys.HSM
	return privatekey.Remote{Provider: token, MakeLocal: h.LocalKeys, Timeout: h.Timeout, Concurrency: h.Concurrency}
}

// CheckHSM logs in and checks that the token supports the algorithms. It returns after the configured timeout, even if
// the library hangs.
func CheckHSM(ctx context.Context, cfg config.Config, token pkcs11.Token) error {
	algs := cfg.Algorithms
	if cfg.Keys.HSM.LocalKeys {
		algs = nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Keys.HSM.Timeout, fmt.Errorf("it does not answer within %s", cli.RoundDuration(cfg.Keys.HSM.Timeout)))
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- token.Check(ctx, algs) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ExplainProvider adds what to do about a keyring with keys in an HSM that is not configured.
func ExplainProvider(err error) error {
	advice := "set keys.hsm as it is where the keys were made"
	if !pkcs11.Built {
		advice += ", and use a build with PKCS#11 (go build -tags pkcs11)"
	}
	return fmt.Errorf("keyring: some signing keys are in an HSM (%w); %s; nothing was changed", err, advice)
}
