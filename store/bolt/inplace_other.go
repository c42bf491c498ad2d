//go:build !linux

package bolt

import "os"

func isAt(path string, opened os.FileInfo) (bool, error) { return statIsAt(path, opened) }
