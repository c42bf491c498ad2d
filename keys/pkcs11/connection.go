//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	cryptoki "github.com/miekg/pkcs11"
)

// connection is one initialized library, logged in to the token.
type connection struct {
	lib  *cryptoki.Ctx
	slot uint
	home cryptoki.SessionHandle // does nothing but hold the login, which ends with the last session

	calls   int           // guarded by the token's mu
	drained chan struct{} // closed when the last call has left a connection that was given up

	mu      sync.Mutex
	idle    []cryptoki.SessionHandle
	objects map[string]cryptoki.ObjectHandle // private keys by reference
}

// dial loads the library, finds the token and logs in. turn is held.
func (t *token) dial() (c *connection, err error) {
	if _, err := os.Stat(t.cfg.Module); err != nil {
		return nil, fmt.Errorf("%w: module: %w", ErrSetup, err)
	}
	lib := cryptoki.New(t.cfg.Module)
	if lib == nil {
		return nil, fmt.Errorf("%w: module: %s cannot be loaded; is it a PKCS#11 library for this machine?", ErrSetup, t.cfg.Module)
	}
	c = &connection{lib: lib, drained: make(chan struct{}), objects: map[string]cryptoki.ObjectHandle{}}
	defer func() {
		if err != nil {
			c.unload()
			c = nil
		}
	}()
	if err := ignore(lib.Initialize(), cryptoki.CKR_CRYPTOKI_ALREADY_INITIALIZED); err != nil {
		return c, fmt.Errorf("initializing %s: %w", t.cfg.Module, err)
	}
	info, err := c.find(t.cfg.Token)
	if err != nil {
		return c, err
	}
	if c.home, err = lib.OpenSession(c.slot, cryptoki.CKF_SERIAL_SESSION); err != nil {
		return c, fmt.Errorf("opening a session: %w", err)
	}
	return c, t.login(c, info)
}

// find looks for the token by its label.
func (c *connection) find(label string) (info cryptoki.TokenInfo, err error) {
	slots, err := c.lib.GetSlotList(true)
	if err != nil {
		return info, fmt.Errorf("listing slots: %w", err)
	}
	var found int
	var others []string
	for _, slot := range slots {
		here, err := c.lib.GetTokenInfo(slot)
		if err != nil {
			continue // another token, removed at this moment
		}
		if strings.TrimRight(here.Label, " \x00") != label {
			others = append(others, fmt.Sprintf("%q", here.Label))
			continue
		}
		found++
		c.slot, info = slot, here
	}
	switch found {
	case 0:
		return info, fmt.Errorf("token %q is not there; the module shows %d others: %s", label, len(others), strings.Join(others, ", "))
	case 1:
		return info, nil
	}
	return info, fmt.Errorf("%w: %d tokens are called %q; give them different labels", ErrSetup, found, label)
}

// login never tries a PIN twice that the token has called wrong.
func (t *token) login(c *connection, info cryptoki.TokenInfo) error {
	pin, err := t.cfg.PIN()
	hash := sha256.Sum256([]byte(pin))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSetup, err)
	case info.Flags&cryptoki.CKF_USER_PIN_LOCKED != 0:
		return fmt.Errorf("%w: the PIN of token %q is locked; its security officer can set a new one", ErrSetup, t.cfg.Token)
	case info.Flags&cryptoki.CKF_USER_PIN_FINAL_TRY != 0:
		return fmt.Errorf("%w: one more wrong PIN locks token %q, so none is tried; log in once with the vendor's tool", ErrSetup, t.cfg.Token)
	case hash == t.refusedPIN:
		return fmt.Errorf("%w: token %q has refused this PIN, and it is not tried again", ErrSetup, t.cfg.Token)
	}
	err = ignore(c.lib.Login(c.home, cryptoki.CKU_USER, pin), cryptoki.CKR_USER_ALREADY_LOGGED_IN)
	switch {
	case err == nil:
		t.refusedPIN = [sha256.Size]byte{}
		return nil
	case is(err, cryptoki.CKR_PIN_INCORRECT, cryptoki.CKR_PIN_INVALID, cryptoki.CKR_PIN_LEN_RANGE):
		t.refusedPIN = hash
		return fmt.Errorf("%w: token %q refuses the PIN: %w", ErrSetup, t.cfg.Token, err)
	case is(err, cryptoki.CKR_PIN_LOCKED, cryptoki.CKR_PIN_EXPIRED, cryptoki.CKR_USER_PIN_NOT_INITIALIZED):
		return fmt.Errorf("%w: logging in to token %q: %w", ErrSetup, t.cfg.Token, err)
	}
	return fmt.Errorf("logging in to token %q: %w", t.cfg.Token, err)
}

// end waits for the last call and finalizes the library. There may be no connection.
func (c *connection) end(ctx context.Context) error {
	if c == nil {
		return nil
	}
	select {
	case <-c.drained:
		c.unload()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pkcs11: a call into the library has not come back: %w", context.Cause(ctx))
	}
}

// unload finalizes the library, which closes its sessions. An error of that changes nothing.
func (c *connection) unload() {
	_ = c.lib.Finalize()
	c.lib.Destroy()
}

// session runs call in a session of its own. One in which something failed is not used again: an
// operation may have stayed open in it.
func (c *connection) session(call func(cryptoki.SessionHandle) error) error {
	s, err := c.take()
	if err != nil {
		return fmt.Errorf("opening a session: %w", err)
	}
	if err := call(s); err != nil {
		_ = c.lib.CloseSession(s) // it may be gone
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, s)
	return nil
}

func (c *connection) take() (cryptoki.SessionHandle, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		defer c.mu.Unlock()
		s := c.idle[n-1]
		c.idle = c.idle[:n-1]
		return s, nil
	}
	c.mu.Unlock()
	return c.lib.OpenSession(c.slot, cryptoki.CKF_SERIAL_SESSION)
}

// writing runs call in a session that may make and destroy objects.
func (c *connection) writing(call func(cryptoki.SessionHandle) error) error {
	s, err := c.lib.OpenSession(c.slot, cryptoki.CKF_SERIAL_SESSION|cryptoki.CKF_RW_SESSION)
	if err != nil {
		return fmt.Errorf("opening a session: %w", err)
	}
	defer c.lib.CloseSession(s)
	return call(s)
}

// errLoggedOut is found out by asking: a token shows no private keys to those who are not logged in.
var errLoggedOut = errors.New("pkcs11: the login is gone")

// loggedIn returns errLoggedOut, or what keeps it from saying so.
func (c *connection) loggedIn(s cryptoki.SessionHandle) error {
	info, err := c.lib.GetSessionInfo(s)
	if err != nil {
		return fmt.Errorf("asking after a session: %w", err)
	}
	if info.State != cryptoki.CKS_RO_USER_FUNCTIONS && info.State != cryptoki.CKS_RW_USER_FUNCTIONS {
		return errLoggedOut
	}
	return nil
}
