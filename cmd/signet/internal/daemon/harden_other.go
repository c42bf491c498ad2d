//go:build !linux

package daemon

// hardenProcess does nothing. Only Linux is supported.
func hardenProcess() error { return nil }
