package hash

import (
	"errors"
	"strings"
	"testing"
)

var digits72 = strings.Repeat("0123456789", 7) + "ab"

// vectors come from the reference implementation's tests (argon2), passlib's manual, libargon2 and
// libxcrypt.
var vectors = []struct{ name, encoded, password string }{
	{"argon2id reference", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
	{"argon2id two lanes", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"},
	{"argon2i reference", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8", "password"},
	{"argon2i passlib", "$argon2i$v=19$m=512,t=2,p=2$aI2R0hpDyLm3ltLa+1/rvQ$LqPKjd6n8yniKtAithoR7A", "password"},
	{"argon2i odd memory", "$argon2i$v=19$m=19,t=3,p=2$c2FsdHNhbHQ$OUdye9yBQwssL+wy0+/iIg", "password"},
	{"argon2id umlauts", "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$IO+cAvmaYMGpJ0HjT1sQt7sqfQ78HCMdJTShprrmM7s", "Zürich könnte"},
	{"argon2id 256 characters", "$argon2id$v=19$m=64,t=3,p=3$MDEyMzQ1Njc4OWFiY2RlZg$jXRuM/LRBlFfZ54XBBfEoMMZsl4E5Tdg", strings.Repeat("a", 256)},
	{"bcrypt 2a", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
	{"bcrypt 2a longer", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.Bw3BobdGs1SFsKsRLIx9rC4T.Q7DtEm", "U*U*U"},
	{"bcrypt padding bits set", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeX", "U*U"},
	{"bcrypt empty", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", ""},
	{"bcrypt 2y umlauts", "$2y$04$abcdefghijklmnopqrstuuEIi9qeaVg1.dx9C0QMLLz.Vv3p/tW86", "Zürich könnte"},
	{"bcrypt 71 bytes", "$2b$04$abcdefghijklmnopqrstuusYY20iXwjy3BJDTfglBxIzPR2LjAUO6", digits72[:71]},
	{"bcrypt 72 bytes", "$2b$04$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C", digits72},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			h, err := Parse(v.encoded)
			if err != nil {
				t.Fatal(err)
			}
			if !h.Verify([]byte(v.password)) {
				t.Error("the right password: got no match")
			}
			if len(v.password) < bcryptMaxBytes && h.Verify([]byte(v.password+"x")) {
				t.Error("one character more: got a match")
			}
			if n := len(v.password); n > 0 && h.Verify([]byte(v.password[:n-1])) {
				t.Error("one byte less: got a match")
			}
			if up := strings.ToUpper(v.password); up != v.password && h.Verify([]byte(up)) {
				t.Error("in upper case: got a match")
			}
		})
	}
}

// Programs that handed bcrypt a longer password had it cut to 72 bytes. A NUL ended it in some of them, and not in others.
func TestBcryptReads72Bytes(t *testing.T) {
	h, err := Parse("$2b$04$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{
		digits72 + "c":                         true,
		digits72 + strings.Repeat("x", 184):    true,
		digits72[:71]:                          false,
		digits72[:71] + "c":                    false,
		digits72 + "\x00":                      false,
		digits72[:10] + "\x00" + digits72[11:]: false,
	} {
		if h.Verify([]byte(password)) != want {
			t.Errorf("%q: got match %t, want %t", password, !want, want)
		}
	}
	// The NUL that ends bcrypt's key is no part of a password: U*U and its repetition share a key.
	h, _ = Parse("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
	if h.Verify([]byte("U*U\x00U*U")) {
		t.Error("password repeated after a NUL: got a match")
	}
}

func TestParseRefuses(t *testing.T) {
	const salt, tag = "MDEyMzQ1Njc4OWFiY2RlZg", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	id := func(costs string) string { return "$argon2id$v=19$" + costs + "$" + salt + "$" + tag }
	for name, encoded := range map[string]string{
		"empty":               "",
		"plain text":          "hunter2hunter2hunter2",
		"no version":          "$argon2id$m=256,t=2,p=1$" + salt + "$" + tag,
		"version 1.0":         "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + tag,
		"more than 1 GiB":     id("m=1048577,t=1,p=1"),
		"all the memory":      id("m=4294967295,t=1,p=1"),
		"4 GiB four times":    id("m=1048576,t=5,p=1"),
		"all the passes":      id("m=8,t=4294967295,p=1"),
		"no memory":           id("m=0,t=1,p=1"),
		"no passes":           id("m=8,t=0,p=1"),
		"no lanes":            id("m=8,t=1,p=0"),
		"256 lanes":           id("m=65536,t=1,p=256"),
		"memory under lanes":  id("m=31,t=1,p=4"),
		"negative":            id("m=-8,t=1,p=1"),
		"plus sign":           id("m=+8,t=1,p=1"),
		"leading zero":        id("m=08,t=1,p=1"),
		"another order":       id("t=1,m=8,p=1"),
		"key id":              id("m=8,t=1,p=1,keyid=AAAA"),
		"trailing comma":      id("m=8,t=1,p=1,"),
		"missing lanes":       id("m=8,t=1"),
		"no salt":             "$argon2id$v=19$m=8,t=1,p=1$$" + tag,
		"no tag":              "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$",
		"no tag at all":       "$argon2id$v=19$m=8,t=1,p=1$" + salt,
		"short tag":           "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$AAAA",
		"padded base64":       id("m=8,t=1,p=1") + "=",
		"stray bits":          id("m=8,t=1,p=1")[:len(id("m=8,t=1,p=1"))-1] + "5",
		"line break":          id("m=8,t=1,p=1") + "\n",
		"seventh part":        id("m=8,t=1,p=1") + "$",
		"long salt":           "$argon2id$v=19$m=8,t=1,p=1$" + strings.Repeat("A", 88) + "$" + tag,
		"long string":         id("m=8,t=1,p=1") + strings.Repeat("A", 1<<16),
		"bcrypt 2z":           "$2z$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"argon2x":             "$argon2x$v=19$m=256,t=2,p=1$" + salt + "$" + tag,
		"bcrypt without base": "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"bcrypt cost 3":       "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"bcrypt cost 17":      "$2a$17$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"bcrypt cost 31":      "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"bcrypt cost letters": "$2a$0:$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"bcrypt cut":          "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
		"bcrypt longer":       "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
		"bcrypt odd letter":   "$2a$05$CCCCCCCCCC+CCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"bcrypt cost no $":    "$2a$055CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	} {
		_, err := Parse(encoded)
		if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
			continue
		}
		if strings.Contains(err.Error(), tag) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the hash: %v", name, err)
		}
	}
}

func TestWeaker(t *testing.T) {
	const salt16, tag32 = "$MDEyMzQ1Njc4OWFiY2RlZg", "$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	policy := Params{Memory: 64, Time: 2, Threads: 2}
	for _, c := range []struct {
		name, encoded string
		want          bool
	}{
		{"as the policy", "$argon2id$v=19$m=64,t=2,p=2" + salt16 + tag32, false},
		{"above the policy", "$argon2id$v=19$m=65,t=3,p=3" + salt16 + tag32, false},
		{"less memory", "$argon2id$v=19$m=63,t=2,p=2" + salt16 + tag32, true},
		{"fewer passes", "$argon2id$v=19$m=64,t=1,p=2" + salt16 + tag32, true},
		{"fewer lanes", "$argon2id$v=19$m=64,t=2,p=1" + salt16 + tag32, true},
		{"shorter salt", "$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHQ" + tag32, true},
		{"shorter tag", "$argon2id$v=19$m=64,t=2,p=2" + salt16 + "$LqPKjd6n8yniKtAithoR7A", true},
		{"argon2i", "$argon2i$v=19$m=64,t=2,p=2" + salt16 + tag32, true},
		{"bcrypt", "$2b$14$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C", true},
	} {
		h, err := Parse(c.encoded)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := h.Weaker(policy); got != c.want {
			t.Errorf("%s: got weaker %v, want %v", c.name, got, c.want)
		}
	}
}

// FuzzParse: whatever is stored, reading it ends at once, and what is accepted is within the limits
// and has one spelling.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.encoded)
	}
	f.Add("$wrapped$$1$salt$......................$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuA")
	f.Fuzz(func(t *testing.T, encoded string) {
		h, err := Parse(encoded)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("got %v, want ErrFormat", err)
			}
			return
		}
		again, err := Parse(h.String())
		if err != nil || again.String() != h.String() {
			t.Errorf("got %q when written again, which reads as %v, %v", h.String(), again, err)
		}
		if d, err := Parse(h.Dummy().String()); err != nil || d.Kind() != h.Kind() {
			t.Errorf("dummy of %q: got %v, %v", encoded, d, err)
		}
		if p := h.Price(); p.Work == 0 || p.Memory>>10 > maxMemory || h.Scheme() != "bcrypt" && p.Work > maxWork && !strings.HasPrefix(h.Scheme(), "bcrypt-") {
			t.Errorf("accepted %q at %+v", encoded, p)
		}
	})
}
