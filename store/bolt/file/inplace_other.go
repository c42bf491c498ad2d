//go:build !linux

package file

import "os"

func isAt(path string, opened os.FileInfo) (bool, error) { return statIsAt(path, opened) }
