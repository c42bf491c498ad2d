//go:build pkcs11 && cgo

package pkcs11

import (
	"errors"
	"slices"

	cryptoki "github.com/miekg/pkcs11"
)

// gone are the return values after which a connection is of no more use. Tokens return different values when
// they are removed, so the vague ones count too.
var gone = []uint{
	cryptoki.CKR_DEVICE_REMOVED, cryptoki.CKR_DEVICE_ERROR, cryptoki.CKR_DEVICE_MEMORY,
	cryptoki.CKR_TOKEN_NOT_PRESENT, cryptoki.CKR_TOKEN_NOT_RECOGNIZED, cryptoki.CKR_SLOT_ID_INVALID,
	cryptoki.CKR_SESSION_CLOSED, cryptoki.CKR_SESSION_HANDLE_INVALID,
	cryptoki.CKR_USER_NOT_LOGGED_IN, cryptoki.CKR_CRYPTOKI_NOT_INITIALIZED,
	cryptoki.CKR_KEY_HANDLE_INVALID, cryptoki.CKR_OBJECT_HANDLE_INVALID,
	cryptoki.CKR_GENERAL_ERROR, cryptoki.CKR_FUNCTION_FAILED,
}

// lost reports whether the error means that the connection is gone, and not only that one key or
// mechanism cannot be used.
func lost(err error) bool {
	if code, ok := errors.AsType[cryptoki.Error](err); ok {
		return slices.Contains(gone, uint(code)) || uint(code) >= cryptoki.CKR_VENDOR_DEFINED
	}
	return errors.Is(err, errLoggedOut)
}

// is reports whether the error is one of the return values.
func is(err error, codes ...uint) bool {
	var code cryptoki.Error
	return errors.As(err, &code) && slices.Contains(codes, uint(code))
}

// ignore returns err unless it is that return value.
func ignore(err error, code uint) error {
	if is(err, code) {
		return nil
	}
	return err
}
