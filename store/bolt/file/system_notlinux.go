//go:build !linux

package file

import (
	"os"

	"go.etcd.io/bbolt"
)

func isAt(path string, opened os.FileInfo) (bool, error) { return statIsAt(path, opened) }

// TrimMemory has nothing to do: only Linux counts mapped pages in a way that matters to limits.
func (f *File) TrimMemory(*bbolt.Tx) error { return nil }
