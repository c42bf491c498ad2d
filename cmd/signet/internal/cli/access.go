package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// fileAccess decides who can read and write a file: its owner, its group and its mode.
type fileAccess struct {
	uid, gid uint32
	mode     fs.FileMode
}

// account is a user of the operating system with its groups.
type account struct {
	uid    uint32
	groups []uint32
}

// thisAccount is the account that this process runs as.
func thisAccount() account {
	c := account{uid: uint32(os.Geteuid()), groups: []uint32{uint32(os.Getegid())}}
	more, _ := os.Getgroups() // without them only less is accepted
	for _, g := range more {
		c.groups = append(c.groups, uint32(g))
	}
	return c
}

func accessOf(info fs.FileInfo) fileAccess {
	f := fileAccess{mode: info.Mode()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		f.uid, f.gid = stat.Uid, stat.Gid
	}
	return f
}

// FileOwner returns the number of the user that owns the file.
func FileOwner(info fs.FileInfo) uint32 { return accessOf(info).uid }

// OtherReaders names the accounts besides root and this one that can read the file, in words for a message; "" is none.
func OtherReaders(info fs.FileInfo) string { return accessOf(info).readers(thisAccount()) }

// trusts reports whether files of the owner uid may be used: uid is root or c itself. Root works on the files of
// services, so it trusts every owner.
func (c account) trusts(uid uint32) bool { return uid == 0 || uid == c.uid || c.uid == 0 }

// writers names the accounts besides root and c that can write to the file, in words for a message; "" is none. A group of c may
// write: volumes of Kubernetes with an fsGroup are like that.
func (f fileAccess) writers(c account) string {
	perm := f.mode.Perm()
	switch {
	case perm&0o002 != 0:
		return "everybody"
	case perm&0o020 != 0 && !slices.Contains(c.groups, f.gid):
		return fmt.Sprintf("the group %d", f.gid)
	}
	return ""
}

// readers names the accounts besides root and c that can read the file; "" is none. A group of c may read a file that root or c
// owns: a Secret of Kubernetes is root:GROUP with mode 0440.
func (f fileAccess) readers(c account) string {
	perm := f.mode.Perm()
	switch {
	case perm&0o004 != 0:
		return "everybody"
	case perm&0o040 != 0 && !(slices.Contains(c.groups, f.gid) && (f.uid == 0 || f.uid == c.uid)):
		return fmt.Sprintf("the group %d", f.gid)
	}
	return ""
}

// checkSecret returns nil if only root and c can read or change a file with a secret.
func (f fileAccess) checkSecret(c account, path string) error {
	quoted := ShellQuote(path)
	switch {
	case !c.trusts(f.uid):
		return fmt.Errorf("%s belongs to another user (uid %d), who can read and change it; make it yours with `chown %d %s`", path, f.uid, c.uid, quoted)
	case f.readers(c) != "":
		return fmt.Errorf("others may read %s (%s, mode %04o); make it yours alone with `chmod 600 %s`, or in Kubernetes set defaultMode: 0440 and an fsGroup",
			path, f.readers(c), f.mode.Perm(), quoted)
	case f.writers(c) != "" || f.mode.Perm()&0o020 != 0:
		return fmt.Errorf("others may write to %s (mode %04o); make it yours alone with `chmod 600 %s`", path, f.mode.Perm(), quoted)
	}
	return nil
}

// checkUnchanged returns nil if only root, c and a group of c can change the file or directory. decides is for the
// message: what the content of the file determines.
func (f fileAccess) checkUnchanged(c account, path, decides string) error {
	if who := f.writers(c); who != "" {
		return fmt.Errorf("%s may write to %s (mode %04o), which decides %s; close it with `chmod go-w %s`", who, path, f.mode.Perm(), decides, ShellQuote(path))
	}
	return nil
}

// checkFound checks a file or directory that was found in the working directory and not named by the user. The owner of
// the working directory could have put it there, so it must belong to root or to the caller.
func (f fileAccess) checkFound(c account, path, flag string) error {
	if f.uid != 0 && f.uid != c.uid {
		return fmt.Errorf("./%s belongs to another user (uid %d), and was only found because this directory has it; if you mean it, give %s",
			path, f.uid, flag)
	}
	if perm := f.mode.Perm(); perm&0o002 != 0 || perm&0o020 != 0 && f.gid != f.uid && f.gid != 0 { // a user's private group has the user's number
		return fmt.Errorf("others may write to ./%s (mode %04o), and it was only found because this directory has it; close it with `chmod go-w %s`",
			path, perm, path)
	}
	return nil
}

// CheckFound checks a path that was found in the working directory and not named by the user: the owner of
// that directory could have put it there. flag names the path in the message. A symbolic link and its target are both checked.
func CheckFound(path, flag string) error {
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := look(path)
		if err != nil {
			return nil // opening it reports the reason
		}
		f := accessOf(info)
		if info.Mode()&fs.ModeSymlink != 0 {
			f.mode = 0o700 // the mode of a link means nothing
		}
		if err := f.checkFound(thisAccount(), path, flag); err != nil {
			return err
		}
	}
	return nil
}

// CheckUnchanged returns an error if others can change the file or directory at path, which setting names and which
// determines what the text decides names. A path that is missing or "" is accepted.
func CheckUnchanged(setting, path, decides string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil // opening it reports the reason
	}
	if err := accessOf(info).checkUnchanged(thisAccount(), path, decides); err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	return nil
}

// ReadSecretFile reads a file with a secret. It refuses a file that others can read or change. It drops a byte order mark
// at the beginning, which some editors write.
func ReadSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat() // of what was opened: a symbolic link may point elsewhere by now
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", path)
	}
	if err := accessOf(info).checkSecret(thisAccount(), path); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > MaxSecret {
		return "", errors.New(path + " is too large for a secret")
	}
	return string(bytes.TrimPrefix(text, ByteOrderMark)), nil
}

// CheckSecret refuses an open file with a secret that others can read or change. It accepts what is not a file, such as
// a pipe of the shell.
func CheckSecret(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return accessOf(info).checkSecret(thisAccount(), f.Name())
}

// ByteOrderMark can be at the beginning of any text that an editor has written. RFC 8259 §8.1 allows to ignore it.
var ByteOrderMark = []byte("\xef\xbb\xbf")
