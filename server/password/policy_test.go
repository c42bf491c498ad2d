package password

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestPolicyAccepts(t *testing.T) {
	for _, password := range []string{
		"kettle umbrage violin sock", // unrelated words
		"purple monkey drinks 7 teapots at noon",
		"Der Dachs tanzt um Mitternacht",
		"Xq7!vLp2#mTz9wR", // 15 random characters
		"zu\u0308gellos gra\u0308mt Quitten",
		"竹林深处有一只黑猫在安静睡觉",
		"мокрый кирпич летит на юг",
		"👩\u200d🚀 lands on a wet turnip",
		strings.Repeat("kettle umbrage violin sock ", 9), // 243
		"               wet turnip lands",
	} {
		if n := utf8.RuneCountInString(password); n < DefaultMinLength {
			password += strings.Repeat("鼠", DefaultMinLength-n-1) + "草"
		}
		if err := (Policy{Context: []string{"Signet", "Example Corp"}}).Check("alice.smith@example.com", password); err != nil {
			t.Errorf("%q: got %v, want nil", password, err)
		}
	}
}

func TestPolicyRefuses(t *testing.T) {
	p := Policy{Context: []string{"Signet", "Hooli-Cloud"}}
	const user = "alice.smith@example.com"
	for password, want := range map[string]error{
		"":                                ErrTooShort,
		"Xq7!vLp2#mTz9w":                  ErrTooShort, // 14
		"a\u0308o\u0308u\u0308xq7vlp2#mT": ErrTooShort, // 17 code points, 14 after NFC
		strings.Repeat("Xq7!", 65):        ErrTooLong,
		strings.Repeat("x", 10000):        ErrTooLong,
		"Xq7!vLp2#mTz9\x00wR":             ErrPassword,
		"password12345678":                ErrCommon,
		"P@ssw0rd!P@ssw0rd!":              ErrCommon,
		"Pa$5w0rd+T3mp+2024":              ErrCommon,
		"PASSWORD-password":               ErrCommon,
		"123456789012345":                 ErrCommon,
		"987654321987654":                 ErrCommon,
		"qwertyuiopasdfgh":                ErrCommon,
		"1qaz2wsx3edc4rfv":                ErrCommon,
		"1q2w3e4r5t6y7u8i":                ErrCommon,
		"poiuytrewqlkjhgf":                ErrCommon,
		"abcdefghijklmnop":                ErrCommon,
		"aaaaaaaaaaaaaaaaaaaa":            ErrCommon,
		"abababababababab":                ErrCommon,
		"xqzxqzxqzxqzxqzxqz":              ErrCommon,
		"horsehorsehorse":                 ErrCommon,
		"correct horse battery staple":    ErrCommon,
		"CorrectHorseBatteryStaple1!":     ErrCommon,
		"iloveyouforever2024":             ErrCommon,
		"ilovemydogmaxwell2024":           ErrCommon,
		"I love my cat Whiskers 7":        ErrCommon,
		"correct horse battery staple 9":  ErrCommon,
		"Summer2024Summer2024!":           ErrCommon,
		"Welcome2Welcome!":                ErrCommon,
		"monkeydragonfootball":            ErrCommon,
		"!@#$%^&*()!@#$%^":                ErrCommon,
		"               ":                 ErrCommon,
		"alicesmith-signet-2024":          ErrContext,
		"alice.smith@example.com":         ErrContext,
		"4l1c3.$m1th.4l1c3":               ErrContext,
		"HooliCloudHooliCloud1":           ErrContext,
		"signetsignet xq7v":               ErrContext,
		"alicesmithexample xq7vlp2":       ErrContext, // more than half, though the rest is random
		"exampleexample!!":                ErrContext,
	} {
		err := p.Check(user, password)
		if !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", password, err, want)
			continue
		}
		if password != "" && strings.TrimSpace(password) != "" && strings.Contains(err.Error(), password) {
			t.Errorf("%q: the error shows it: %v", password, err)
		}
	}
}

func TestPolicyMinLength(t *testing.T) {
	for n, ok := range map[int]bool{0: true, 8: true, 15: true, 64: true, 7: false, 1: false, -1: false, 65: false} {
		p := Policy{MinLength: n}
		if err := p.Validate(); (err == nil) != ok {
			t.Errorf("%d: got %v, want valid %v", n, err, ok)
		}
		if err := p.Check("", "Xq7!vLp2#mTz9wR kettle umbrage violin sock Xq7!vLp2#mTz9wR+Kj7t9"); (err == nil) != ok {
			t.Errorf("%d: Check got %v, want accepted %v", n, err, ok)
		}
	}
	if err := (Policy{MinLength: 8}).Check("bob", "Xq7!vLp2"); err != nil {
		t.Errorf("8 characters: got %v, want nil", err)
	}
	for _, password := range []string{"abcdefg1", "Summer24", "letmein!", "12345678", "bobbob12"} {
		if (Policy{MinLength: 8}).Check("bob", password) == nil {
			t.Errorf("%s: got nil, want an error", password)
		}
	}
}

// The rules stand for a list: count what such a list would hold (at least 3000 are asked for).
func TestCommonIsAtLeastTheTop3000(t *testing.T) {
	refused := 0
	for word := range strings.FieldsSeq(common) {
		for _, password := range []string{
			word + word + word + word + word, "my" + word + "12345678901", strings.ToUpper(word[:1]) + word[1:] + "1234567890!!",
			"123456789" + word + "2024", word + "1qaz2wsx3edc4rfv", word + word + "!!!!!!!!!!!!",
			word + "qwertyuiop123", word + "password123456", "iloveyou" + word + "2023!",
		} {
			if utf8.RuneCountInString(password) < DefaultMinLength {
				continue
			}
			if err := (Policy{}).Check("", password); !errors.Is(err, ErrCommon) {
				t.Errorf("%s: got %v, want ErrCommon", password, err)
			}
			refused++
		}
	}
	if refused < 3000 {
		t.Errorf("got %d passwords refused, want 3000", refused)
	}
}

// A random password is not refused but once in a great while.
func TestRandomPasswordsPass(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const n = 500
	refused := 0
	for range n {
		b := make([]byte, DefaultMinLength)
		for i := range b {
			b[i] = byte('!' + random.IntN('~'-'!'+1))
		}
		if (Policy{Context: []string{"signet"}}).Check("alice@example.com", string(b)) != nil {
			refused++
		}
	}
	if refused > 0 {
		t.Errorf("got %d of %d random passwords refused, want none", refused, n)
	}
}

func TestCommonIsFolded(t *testing.T) {
	for w := range strings.FieldsSeq(common) {
		if string(fold(w)) != w {
			t.Errorf("%q can never match; want %q", w, string(fold(w)))
		}
	}
}

func FuzzGuessable(f *testing.F) {
	f.Add("alice@example.com", "P@ssw0rd!P@ssw0rd!")
	f.Add("", strings.Repeat("19", 128))
	f.Fuzz(func(t *testing.T, username, password string) {
		if len(password) > 300 || len(username) > maxUsername {
			return
		}
		text := fold(password)
		words := contextWords(username, nil)
		if n := pieces(text, words); n > len(text) || n == 0 && len(text) > 0 {
			t.Errorf("got %d pieces of %d characters", n, len(text))
		}
		if n := covered(text, words); n > len(text) {
			t.Errorf("got %d characters covered of %d", n, len(text))
		}
	})
}

func TestBlocklist(t *testing.T) {
	file := "Kettle Umbrage Violin\r\nzu\u0308gellos gra\u0308mt\n\nshort\n" + strings.Repeat("x", maxRaw+2) + "tail of a long line\nbad\xff line here\n" +
		"kettle umbrage violin\n trailing space \nlast without newline"
	b, err := LoadBlocklist(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Len(); got != 4 {
		t.Errorf("got %d entries, want 4", got)
	}
	p := Policy{MinLength: 8, Blocklist: b}
	for password, listed := range map[string]bool{
		"kettle umbrage violin": true, "KETTLE umbrage VIOLIN": true, "zügellos grämt": true, "ZÜGELLOS GRÄMT": true,
		" trailing space ": true, "last without newline": true,
		"kettle umbrage violins": false, "trailing space": false, "\r\nkettle": false,
	} {
		text, err := Normalize(password)
		if got := err == nil && b.Contains(text); got != listed {
			t.Errorf("%q: got listed %v, want %v", password, got, listed)
		}
		if err := p.Check("", password); listed && !errors.Is(err, ErrCommon) {
			t.Errorf("%q: got %v, want ErrCommon", password, err)
		}
	}
	if err := p.Check("", "kettle umbrage violins"); err != nil {
		t.Errorf("not listed: got %v, want nil", err)
	}
}

func TestBlocklistReadError(t *testing.T) {
	boom := errors.New("disk gone")
	for name, r := range map[string]io.Reader{
		"at once":           iotest.ErrReader(boom),
		"after a line":      io.MultiReader(strings.NewReader("kettle umbrage violin\n"), iotest.ErrReader(boom)),
		"in an endless one": io.MultiReader(bytes.NewReader(make([]byte, 3*maxRaw)), iotest.ErrReader(boom)),
	} {
		if b, err := LoadBlocklist(r); b != nil || !errors.Is(err, boom) {
			t.Errorf("%s: got %v, %v, want the reader's error", name, b, err)
		}
	}
	if s := fmt.Sprint((*Blocklist)(nil).Len(), (*Blocklist)(nil).Contains("x")); s != "0 false" {
		t.Errorf("nil list: got %s", s)
	}
}

type breachedFunc func(string) (bool, error)

func (f breachedFunc) Contains(password string) (bool, error) { return f(password) }

// A breached password is refused in any spelling of its characters, and what is not known is no permission.
func TestBreached(t *testing.T) {
	down := errors.New("disk is gone")
	policy := Policy{Breached: breachedFunc(func(password string) (bool, error) {
		if strings.HasPrefix(password, "unknown") {
			return false, down
		}
		return password == "Z\u00fcrich kettle umbrage violin", nil
	})}
	for password, want := range map[string]error{
		"Z\u00fcrich kettle umbrage violin":  ErrCommon,
		"Zu\u0308rich kettle umbrage violin": ErrCommon,
		"Z\u00fcrich kettle umbrage sock":    nil,
		"unknown kettle umbrage violin":      down,
	} {
		if err := policy.Check("alice", password); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: got %v, want %v", password, err, want)
		}
	}
}
