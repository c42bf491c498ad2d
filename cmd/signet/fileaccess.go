package main

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

// fileAccess is what decides who else can reach a file: its owner, its group and its mode.
type fileAccess struct {
	uid, gid uint32
	mode     fs.FileMode
}

// account is a user of the system with its groups.
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

// fileOwner returns the number of the user that owns the file.
func fileOwner(info fs.FileInfo) uint32 { return accessOf(info).uid }

// otherReaders names who besides root and this account can read the file, in words for a message; "" is nobody.
func otherReaders(info fs.FileInfo) string { return accessOf(info).readers(thisAccount()) }

// trusts reports whether the owner is root or c itself. Root trusts every owner that it was pointed
// to: it works on the files of services.
func (c account) trusts(uid uint32) bool { return uid == 0 || uid == c.uid || c.uid == 0 }

// writers returns who besides root and c can write to the file: "" for nobody, else words for a
// message. A group that c is in may write, as it may in a volume of Kubernetes with an fsGroup.
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

// readers is writers for reading. A group may read where root or c owns the file and c is in that
// group: a Secret of Kubernetes is root:GROUP with mode 0440.
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

// checkSecret returns nil where only root and c can read or change a file with a secret.
func (f fileAccess) checkSecret(c account, path string) error {
	quoted := shellQuote(path)
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

// checkUnchanged returns nil where only root, c and a group of c can change the file or directory.
// what it decides is for the message.
func (f fileAccess) checkUnchanged(c account, path, decides string) error {
	if who := f.writers(c); who != "" {
		return fmt.Errorf("%s may write to %s (mode %04o), which decides %s; close it with `chmod go-w %s`", who, path, f.mode.Perm(), decides, shellQuote(path))
	}
	return nil
}

// checkFound is for a file or directory that nobody named and that was found in the working directory.
// Whoever owns the directory could have put it there, so it must be root's or the caller's.
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

// checkFoundPath is checkFound of path and, where it is a symbolic link, of what it points to.
func checkFoundPath(path, flag string) error {
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := look(path)
		if err != nil {
			return nil // whoever opens it says why
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

// checkUnchangedPath is checkUnchanged of a path that may be missing or "".
func checkUnchangedPath(setting, path, decides string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil // whoever opens it says why
	}
	if err := accessOf(info).checkUnchanged(thisAccount(), path, decides); err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	return nil
}

// readSecretFile reads a file with a secret after it has looked at who else can. A byte order mark
// in front is dropped: some editors write one.
func readSecretFile(path string) (string, error) {
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
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSecret {
		return "", errors.New(path + " is too large for a secret")
	}
	return string(bytes.TrimPrefix(text, byteOrderMark)), nil
}

// checkNamedSecret refuses a file that the command line names for a secret and that others can read or change.
// What is no file, such as a pipe of the shell, has no such readers.
func checkNamedSecret(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return accessOf(info).checkSecret(thisAccount(), f.Name())
}

// byteOrderMark may be in front of any text that an editor has written; RFC 8259 §8.1 allows to ignore it.
var byteOrderMark = []byte("\xef\xbb\xbf")
