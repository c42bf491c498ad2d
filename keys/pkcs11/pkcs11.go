package pkcs11

import (
	"context"
	"errors"

	"signet/keys/privatekey"
)

// Config names a token. All fields are required.
type Config struct {
	Module string                 // the vendor's library: the absolute path of a shared object
	Token  string                 // the token's label
	PIN    func() (string, error) // the user's PIN; asked for at each login
}

// Token is a privatekey.Provider over one token.
type Token interface {
	privatekey.Provider

	// Check logs in and asks whether the token can do the algorithms. It makes and signs nothing.
	Check(ctx context.Context, algs []string) error

	// Close logs out. Nothing is in use any more.
	Close() error
}

// Name is what privatekey.Provider.Name answers. It is in keyrings.
const Name = "hsm"

var (
	// ErrSetup: it will not work until its setup is changed: the module cannot be loaded, the
	// PIN is wrong, the token lacks an algorithm. Other errors may pass.
	ErrSetup = errors.New("the HSM is not set up for this")

	// ErrNotBuilt: this program was compiled without the package.
	ErrNotBuilt = errors.New("this build has no PKCS#11; build with -tags pkcs11 (and cgo)")
)

// Open returns the token that cfg names, without asking it anything yet. ErrNotBuilt where the
// program was compiled without PKCS #11.
func Open(cfg Config) (Token, error) {
	if cfg.Module == "" || cfg.Token == "" || cfg.PIN == nil {
		return nil, errors.New("pkcs11: Module, Token and PIN are required")
	}
	return open(cfg)
}
