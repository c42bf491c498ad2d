//go:build !linux

package file

import "go.etcd.io/bbolt"

// TrimMemory has nothing to do: only Linux counts mapped pages in a way that matters to limits.
func (f *File) TrimMemory(*bbolt.Tx) error { return nil }
