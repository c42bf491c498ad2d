package cli

import (
	"io/fs"
	"strings"
	"testing"
)

// TestFileAccess is the table of who may own, read and write what.
func TestFileAccess(t *testing.T) {
	const me, mine, other = 1000, 1000, 1001
	c := account{uid: me, groups: []uint32{mine, 2000}}
	root := account{uid: 0, groups: []uint32{0}}
	for _, test := range []struct {
		name                     string
		c                        account
		f                        fileAccess
		secret, unchanged, found bool
	}{
		{"mine alone", c, fileAccess{me, mine, 0o600}, true, true, true},
		{"mine, read only", c, fileAccess{me, mine, 0o400}, true, true, true},
		{"mine, my group reads", c, fileAccess{me, 2000, 0o640}, true, true, true},
		{"mine, another group reads", c, fileAccess{me, 3000, 0o640}, false, true, true},
		{"mine, everybody reads", c, fileAccess{me, mine, 0o644}, false, true, true},
		{"mine, my private group writes", c, fileAccess{me, mine, 0o660}, false, true, true},
		{"mine, a group of mine writes", c, fileAccess{me, 2000, 0o660}, false, true, false},
		{"mine, another group writes", c, fileAccess{me, 3000, 0o620}, false, false, false},
		{"mine, everybody writes", c, fileAccess{me, mine, 0o602}, false, false, false},
		{"mine, everybody may everything", c, fileAccess{me, mine, fs.ModeDir | 0o777}, false, false, false},
		{"everybody, and sticky", c, fileAccess{0, 0, fs.ModeDir | fs.ModeSticky | 0o777}, false, false, false},
		{"Kubernetes: root:GROUP 0440", c, fileAccess{0, 2000, 0o440}, true, true, true},
		{"Kubernetes: root:GROUP 0400", c, fileAccess{0, 2000, 0o400}, true, true, true},
		{"Kubernetes: root:GROUP 0444", c, fileAccess{0, 2000, 0o444}, false, true, true},
		{"Kubernetes: root:another GROUP 0440", c, fileAccess{0, 3000, 0o440}, false, true, true},
		{"Kubernetes: a volume with fsGroup", c, fileAccess{0, 2000, fs.ModeDir | fs.ModeSetgid | 0o775}, false, true, false},
		{"Kubernetes: root:root 0440 and a root process", root, fileAccess{0, 0, 0o440}, true, true, true},
		{"another's", c, fileAccess{other, mine, 0o600}, false, true, false},
		{"another's, my group reads", c, fileAccess{other, mine, 0o640}, false, true, false},
		{"another's, for root", root, fileAccess{other, other, 0o600}, true, true, false},
		{"another's, everybody writes, for root", root, fileAccess{other, other, 0o666}, false, false, false},
	} {
		for what, got := range map[string]struct {
			err  error
			want bool
		}{
			"checkSecret":    {test.f.checkSecret(test.c, "file"), test.secret},
			"checkUnchanged": {test.f.checkUnchanged(test.c, "file", "something"), test.unchanged},
			"checkFound":     {test.f.checkFound(test.c, "file", "--config ./file"), test.found},
		} {
			if (got.err == nil) != got.want {
				t.Errorf("%s: %s: got %v, want good: %v", test.name, what, got.err, got.want)
			}
			if got.err != nil && strings.Contains(got.err.Error(), "\n") {
				t.Errorf("%s: %s: %q has more than one line", test.name, what, got.err)
			}
		}
	}
}
