//go:build !pkcs11 || !cgo

package pkcs11

import (
	"errors"
	"strings"
	"testing"
)

func TestBuildWithoutPKCS11SaysSo(t *testing.T) {
	_, err := Open(Config{Module: "/x.so", Token: "x", PIN: func() (string, error) { return "1", nil }})
	if !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Errorf("got %v, want ErrNotBuilt with what to do", err)
	}
}
