package connect

import "golang.org/x/sys/unix"

// peerUser returns the user that the process had when it called listen (SO_PEERCRED, unix(7)).
func peerUser(fd int, _ string) (uint32, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
