//go:build !linux

package connect

import (
	"errors"
	"os"
	"syscall"
)

// peerUser returns the owner of the socket at path. This system does not report the peer.
func peerUser(_ int, path string) (uint32, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.New("the system does not report who owns it")
	}
	return stat.Uid, nil
}
