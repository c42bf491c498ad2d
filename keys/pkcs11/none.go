//go:build !pkcs11 || !cgo

package pkcs11

// Built reports whether the program was compiled with PKCS #11.
const Built = false

func open(Config) (Token, error) { return nil, ErrNotBuilt }
