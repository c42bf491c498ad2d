//go:build !linux

package daemon

// hardenProcess does nothing: only Linux has a way that is used here.
func hardenProcess() error { return nil }
