package password

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"signet/server/password/hash"
)

var cheap = hash.Params{Memory: 8, Time: 1, Threads: 1}

// counted returns a pool that records what its slow work was.
func counted(c Config) (*Pool, *[]hash.Hash) {
	p := New(c)
	var ran []hash.Hash
	work := p.work
	p.work = func(h hash.Hash, password []byte) bool {
		ran = append(ran, h)
		return work(h, password)
	}
	return p, &ran
}

func mustHash(t *testing.T, p *Pool, password string) string {
	t.Helper()
	encoded, err := p.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestHashThenVerify(t *testing.T) {
	p := New(Config{Argon2: cheap})
	const right = "Correct Horse Battery"
	encoded := mustHash(t, p, right)
	if !strings.HasPrefix(encoded, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Errorf("got %q, want an argon2id PHC string with the parameters", encoded)
	}
	if again := mustHash(t, p, right); again == encoded {
		t.Error("two hashes of one password are equal: no random salt")
	}
	for _, c := range []struct {
		password string
		want     Result
	}{
		{right, Result{Match: true}},
		{"correct horse battery", Result{}},
		{right + " ", Result{}},
		{" " + right, Result{}},
		{right[:len(right)-1], Result{}},
		{right + "\x00", Result{}},
		{"", Result{}},
	} {
		got, err := p.Verify(t.Context(), encoded, c.password)
		if err != nil || got != c.want {
			t.Errorf("%q: got %+v, %v, want %+v", c.password, got, err, c.want)
		}
	}
}

func TestDefaultCosts(t *testing.T) {
	if encoded := mustHash(t, New(Config{}), "Correct Horse Battery"); !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %q, want m=19456,t=2,p=1", encoded)
	}
}

// Row 61: the same password from a keyboard that composes and one that does not.
func TestOneNormalisation(t *testing.T) {
	p := New(Config{Argon2: cheap})
	nfc, nfd := "Z\u00fcrich k\u00f6nnte \uac00", "Zu\u0308rich ko\u0308nnte \u1100\u1161"
	for _, pair := range [][2]string{{nfc, nfd}, {nfd, nfc}} {
		got, err := p.Verify(t.Context(), mustHash(t, p, pair[0]), pair[1])
		if err != nil || !got.Match {
			t.Errorf("set %q, checked %q: got %+v, %v, want a match", pair[0], pair[1], got, err)
		}
	}
	got, err := p.Verify(t.Context(), "$2y$04$abcdefghijklmnopqrstuuEIi9qeaVg1.dx9C0QMLLz.Vv3p/tW86", "Zu\u0308rich ko\u0308nnte")
	if err != nil || !got.Match || !got.Rehash {
		t.Errorf("bcrypt: got %+v, %v, want a match to rehash", got, err)
	}
}

func TestRehash(t *testing.T) {
	old, now := New(Config{Argon2: cheap}), New(Config{Argon2: hash.Params{Memory: 16, Time: 1, Threads: 1}})
	encoded := mustHash(t, old, "Correct Horse Battery")
	if got, _ := now.Verify(t.Context(), encoded, "Correct Horse Battery"); got != (Result{Match: true, Rehash: true}) {
		t.Errorf("right password: got %+v, want a match to rehash", got)
	}
	if got, _ := now.Verify(t.Context(), encoded, "wrong"); got != (Result{}) {
		t.Errorf("wrong password: got %+v, want nothing", got)
	}
}

// What cannot match costs what a new hash costs, in one run through the pool.
func TestDummyCost(t *testing.T) {
	longest := strings.Repeat("ä", MaxLength)
	p, ran := counted(Config{Argon2: cheap})
	known := mustHash(t, p, longest)
	for _, c := range []struct {
		name, encoded, password string
		want                    error
	}{
		{"unknown user", "", "Correct Horse Battery", nil},
		{"unknown user, empty password", "", "", nil},
		{"unknown format", "{SSHA}abc", "abc", hash.ErrFormat},
		{"absurd memory", "$argon2id$v=19$m=4294967295,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "abc", hash.ErrFormat},
		{"257 characters", known, longest + "ä", nil},
		{"10,000 characters", known, strings.Repeat("a", 10000), nil},
		{"NUL", known, longest[:20] + "\x00", nil},
		{"not UTF-8", known, "\xff\xfe", nil},
	} {
		*ran = nil
		got, err := p.Verify(t.Context(), c.encoded, c.password)
		if got != (Result{}) || !errors.Is(err, c.want) {
			t.Errorf("%s: got %+v, %v, want no match, %v", c.name, got, err, c.want)
		}
		if len(*ran) != 1 {
			t.Fatalf("%s: got %d hashes run, want 1", c.name, len(*ran))
		}
		if got, want := (*ran)[0].Kind(), hash.Dummy(cheap).Kind(); got != want {
			t.Errorf("%s: got work %s, want %s", c.name, got, want)
		}
	}
}

// An unknown user never logs in, even if the dummy happened to be hit.
func TestDummyNeverMatches(t *testing.T) {
	p := New(Config{Argon2: cheap})
	p.work = func(hash.Hash, []byte) bool { return true }
	for _, encoded := range []string{"", "unknown"} {
		if got, _ := p.Verify(t.Context(), encoded, "Correct Horse Battery"); got != (Result{}) {
			t.Errorf("hash %q: got %+v, want no match", encoded, got)
		}
	}
}

func TestLengths(t *testing.T) {
	p := New(Config{Argon2: cheap})
	syllables := strings.Repeat("\u1112\u1161\u11ab", MaxLength) // 2304 bytes decomposed, 256 characters
	for name, password := range map[string]string{
		"64 characters": strings.Repeat("a", 64), "256 in ASCII": strings.Repeat("a", 256),
		"256 of 4 bytes": strings.Repeat("\U0001f511", 256), "256 decomposed": syllables,
	} {
		if got, err := p.Verify(t.Context(), mustHash(t, p, password), password); err != nil || !got.Match {
			t.Errorf("%s: got %+v, %v, want a match", name, got, err)
		}
	}
	for name, c := range map[string]struct {
		password string
		want     error
	}{
		"257": {strings.Repeat("a", 257), ErrTooLong}, "5000 bytes": {strings.Repeat("a", 5000), ErrTooLong},
		"NUL": {"a\x00b", ErrPassword}, "newline": {"a\nb", ErrPassword}, "DEL": {"a\x7f", ErrPassword},
		"C1": {"a\u0085", ErrPassword}, "not UTF-8": {"a\xff", ErrPassword},
	} {
		if encoded, err := p.Hash(t.Context(), c.password); encoded != "" || !errors.Is(err, c.want) {
			t.Errorf("%s: got %q, %v, want %v", name, encoded, err, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	p := New(Config{Argon2: cheap, Slots: 4, Queue: 1000})
	encoded, err := p.Hash(context.Background(), "Correct Horse Battery")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Correct Horse Battery")
	f.Add("Correct Horse Battery\x00")
	f.Fuzz(func(t *testing.T, password string) {
		got, err := p.Verify(t.Context(), encoded, password)
		if err != nil || got.Match != (password == "Correct Horse Battery") {
			t.Errorf("%q: got %+v, %v", password, got, err)
		}
	})
}

// A password that other software hashed is compared as it was sent, where it is not as it is hashed here. All users do the
// same work, and the first login stores a hash of the normalised password.
func TestImportedPasswordsAsSent(t *testing.T) {
	const nfc, nfd = "Z\u00fcrich k\u00f6nnte", "Zu\u0308rich ko\u0308nnte"
	long := strings.Repeat("0123456789", 7) + "ab"
	p, ran := counted(Config{Argon2: cheap, Pepper: []byte("the pepper")})
	stored := func(password string) string {
		h := hash.New(cheap, []byte(password)) // whatever the rules for new passwords are
		return h.String()
	}
	for _, row := range []struct {
		name, stored, password string
		match                  bool
		work                   int
	}{
		{"hashed decomposed, sent so", stored(nfd), nfd, true, 2},
		{"hashed decomposed, sent composed", stored(nfd), nfc, false, 1},
		{"hashed composed, sent decomposed", stored(nfc), nfd, true, 1},
		{"wrong, decomposed", stored("other"), nfd, false, 2},
		{"unknown user, decomposed", "", nfd, false, 2},
		{"unknown format, decomposed", "nonsense", nfd, false, 2},
		{"a tab", stored("a\tb"), "a\tb", true, 1},
		{"unknown user, a tab", "", "a\tb", false, 1},
		{"300 characters", stored(strings.Repeat("x", 300)), strings.Repeat("x", 300), true, 1},
		{"4,096 bytes", stored(strings.Repeat("x", 4096)), strings.Repeat("x", 4096), true, 1},
		{"4,097 bytes", stored(strings.Repeat("x", 4097)), strings.Repeat("x", 4097), false, 1},
		{"a NUL", stored("a\x00b"), "a\x00b", false, 1},
		{"bcrypt of 72 bytes, 73 sent", "$2b$04$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C", long + "x", true, 1},
		{"pepper", "$bcrypt-pepper$2a$04$hkQoGx7RvVdzp8VrKgVRcuaI0kz4L6HQ6gYQxWgS0pPjqGzCk4CZC", "wrong", false, 1},
	} {
		*ran = nil
		got, err := p.Verify(t.Context(), row.stored, row.password)
		if row.stored != "nonsense" && err != nil || got.Match != row.match || len(*ran) != row.work {
			t.Errorf("%s: got %+v, %v after %d hashes, want match %t after %d", row.name, got, err, len(*ran), row.match, row.work)
		}
	}
}

// Hashes with a pepper need it, and are refused where there is none.
func TestPepper(t *testing.T) {
	const devise = "$2a$04$xBE0.2LKbpBmL1JLhX.3s.6p1SD2N3jMLJE71t54cjlQoWyHZVKvi" // by bcrypt-ruby, as Devise does
	with, without := New(Config{Argon2: cheap, Pepper: []byte("the pepper")}), New(Config{Argon2: cheap})
	stored, err := with.Import("devise", devise, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := with.Verify(t.Context(), stored, "correct horse battery"); err != nil || got != (Result{Match: true, Rehash: true}) {
		t.Errorf("got %+v, %v, want a match to rehash", got, err)
	}
	if got, err := with.Verify(t.Context(), stored, "correct horse batterythe pepper"); err != nil || got.Match {
		t.Errorf("with the pepper typed: got %+v, %v", got, err)
	}
	if _, err := without.Import("devise", devise, false); !errors.Is(err, hash.ErrFormat) || !strings.Contains(err.Error(), "pepper") {
		t.Errorf("without a pepper: got %v", err)
	}
	if got, err := without.Verify(t.Context(), stored, "correct horse battery"); !errors.Is(err, hash.ErrFormat) || got.Match {
		t.Errorf("without a pepper: got %+v, %v", got, err)
	}
}

// A fast hash is wrapped through the pool, and then checked like any other.
func TestWrap(t *testing.T) {
	p := New(Config{Argon2: cheap})
	for _, row := range [][3]string{
		{"md5", "88e4ddd2402d92d50e1879d6ecd9ffd4", "$wrapped-md5$argon2id$v=19$m=8,t=1,p=1$"},
		{"plain", "correct horse battery", "$argon2id$v=19$m=8,t=1,p=1$"},
		{"django", "md5$salt$185a8ce4c769b0acdfda7dcc0f5026bf", "$wrapped$$digest$salt-md5$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA$argon2id$v=19$m=8,t=1,p=1$"},
	} {
		weak, err := p.Import(row[0], row[1], true)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := p.Wrap(t.Context(), weak)
		if err != nil || !strings.HasPrefix(stored, row[2]) || strings.Contains(stored, row[1]) {
			t.Errorf("%s: got %q, %v", row[0], stored, err)
		}
		got, err := p.Verify(t.Context(), stored, "correct horse battery")
		if want := (Result{Match: true, Rehash: row[0] != "plain"}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", row[0], got, err, want)
		}
		if got, err := p.Verify(t.Context(), stored, row[1]+"x"); err != nil || got.Match {
			t.Errorf("%s: another password: got %+v, %v", row[0], got, err)
		}
	}
	if _, err := p.Wrap(t.Context(), "$2b$10$x"); !errors.Is(err, hash.ErrFormat) {
		t.Errorf("not a weak hash: got %v", err)
	}
}

// However many hashes an import wraps at once, a login finds no more of them in line than there are slots.
func TestWrapLeavesPlacesToLogins(t *testing.T) {
	var p *Pool
	var most atomic.Int64
	const slots = 2
	p = New(Config{Argon2: hash.Params{Memory: 1024, Time: 1, Threads: 1}, Slots: slots, Observe: func(time.Duration) {
		s := p.Stats()
		for old := most.Load(); int64(s.Running+s.Waiting) > old && !most.CompareAndSwap(old, int64(s.Running+s.Waiting)); old = most.Load() {
		}
	}})
	weak, err := p.Import("django", "md5$salt$185a8ce4c769b0acdfda7dcc0f5026bf", false)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if stored, err := p.Wrap(t.Context(), weak); err != nil || !strings.HasPrefix(stored, "$wrapped$") {
				t.Errorf("got %q, %v", stored, err)
			}
		})
	}
	all.Wait()
	if got := most.Load(); got == 0 || got > slots {
		t.Errorf("got %d hashes at once in the pool, want up to %d", got, slots)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for range slots {
		p.wraps <- struct{}{}
	}
	if stored, err := p.Wrap(ended, weak); stored != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: got %q, %v", stored, err)
	}
}

// A password that was found right gets a new hash even if it could not be set here, and that hash matches it.
func TestHashAccepted(t *testing.T) {
	p := New(Config{Argon2: cheap})
	for _, password := range []string{"short", "Zu\u0308rich ko\u0308nnte", "a\tb\x7f", strings.Repeat("x", 4096), strings.Repeat("\u00e4", 300)} {
		stored, err := p.HashAccepted(t.Context(), "", password)
		if err != nil {
			t.Errorf("%.20q: got %v", password, err)
			continue
		}
		if got, err := p.Verify(t.Context(), stored, password); err != nil || got != (Result{Match: true}) {
			t.Errorf("%.20q: got %+v, %v, want a match", password, got, err)
		}
		if got, err := p.Verify(t.Context(), stored, password+"x"); err != nil || got.Match {
			t.Errorf("%.20q: a character more: got %+v, %v", password, got, err)
		}
	}
	if stored, _ := p.HashAccepted(t.Context(), "", "Zu\u0308rich ko\u0308nnte"); stored != "" {
		if got, err := p.Verify(t.Context(), stored, "Z\u00fcrich k\u00f6nnte"); err != nil || !got.Match {
			t.Errorf("composed: got %+v, %v, want a match", got, err)
		}
	}
	for _, password := range []string{strings.Repeat("x", 4097), "a\x00b"} {
		if stored, err := p.HashAccepted(t.Context(), "", password); stored != "" || !errors.Is(err, ErrPassword) {
			t.Errorf("%.20q: got %q, %v, want ErrPassword", password, stored, err)
		}
	}
}

// What the old program took for one password is still one after the first login, whichever spelling that login sent.
func TestRehashTakesWhatTheOldProgramTook(t *testing.T) {
	p := New(Config{Argon2: cheap, Pepper: []byte("the pepper")})
	x72 := strings.Repeat("x", 72)
	digest := hash.New(cheap, []byte("sp ace")).String()
	for _, row := range []struct {
		name, scheme, old string
		first             string   // what the first login sends
		right, wrong      []string // at the logins after it
	}{
		{"bcrypt cuts", "bcrypt", bcryptHash(t, "$2b$04$", x72), x72 + "wrong tail",
			[]string{strings.Repeat("x", 100), x72, x72 + "wrong tail"}, []string{x72[:71], x72[:71] + "y", "y" + x72}},
		{"bcrypt, as long as the cut", "bcrypt", bcryptHash(t, "$2b$04$", x72), x72, []string{strings.Repeat("x", 100)}, []string{x72[:71]}},
		{"bcrypt, shorter than the cut", "bcrypt", bcryptHash(t, "$2b$04$", x72[:71]), x72[:71], []string{x72[:71]}, []string{x72}},
		{"pepper behind the cut", "devise", bcryptHash(t, "$2b$04$", x72), x72 + "wrong tail", []string{strings.Repeat("x", 100)}, []string{x72[:71]}},
		{"Django cuts too", "django", "bcrypt$" + bcryptHash(t, "$2b$04$", x72), x72 + "wrong tail", []string{strings.Repeat("x", 100)}, []string{x72[:71]}},
		{"WordPress trims", "wordpress", "$P$7abcdefgh64H4yqmV92X0Ou0/0XOnA/", "sp ace ", []string{"sp ace", " sp ace\n", "sp ace "}, []string{"space", "sp ace x", ""}},
		{"Better Auth folds", "better-auth", betterAuth, "\ufb01ne", []string{"fine", "\ufb01ne", "\uff46ine"}, []string{"Fine", "fin"}},
		{"argon2 takes all", "argon2", digest, "sp ace", []string{"sp ace"}, []string{"sp ace "}},
	} {
		stored, err := p.Import(row.scheme, row.old, false)
		if err == nil && hash.NeedsWrap(stored) {
			stored, err = p.Wrap(t.Context(), stored)
		}
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if got, err := p.Verify(t.Context(), stored, row.first); err != nil || !got.Match {
			t.Errorf("%s: first login: got %+v, %v", row.name, got, err)
		}
		for _, pool := range []*Pool{p, New(Config{Argon2: hash.Params{Memory: 16, Time: 1, Threads: 1}})} { // and when the costs are raised
			if stored, err = pool.HashAccepted(t.Context(), stored, row.first); err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			for _, right := range row.right {
				if got, err := pool.Verify(t.Context(), stored, right); err != nil || got != (Result{Match: true}) {
					t.Errorf("%s: %q after the first login: got %+v, %v from %.40s", row.name, right, got, err, stored)
				}
			}
			for _, wrong := range row.wrong {
				if got, err := pool.Verify(t.Context(), stored, wrong); err != nil || got.Match {
					t.Errorf("%s: %q after the first login: got %+v, %v", row.name, wrong, got, err)
				}
			}
			if name, weak, ok := pool.Scheme(stored); name != "argon2id" || weak || !ok {
				t.Errorf("%s: got scheme %s, weak %t, %t", row.name, name, weak, ok)
			}
			if again, err := pool.Import("", stored, false); err != nil || again != stored {
				t.Errorf("%s: imported again: got %q, %v", row.name, again, err)
			}
		}
	}
	if _, err := p.HashAccepted(t.Context(), "nonsense", "correct horse"); !errors.Is(err, hash.ErrFormat) {
		t.Errorf("an old hash that cannot be read: got %v", err)
	}
}

// Better Auth's hash of "fine".
const betterAuth = "00112233445566778899aabbccddeeff:" +
	"af0a12803c4de7c2a46cbe70a29fef6f33dea3fba6010afd83712c658d9d95cd562554706abc3307270da68854c1eab6f7a1d769e75480b8e5ea294b10e24555"

// bcryptHash is bcrypt of a password that is not longer than 72 bytes.
func bcryptHash(t *testing.T, prefix, password string) string {
	t.Helper()
	made, err := bcrypt.GenerateFromPassword([]byte(password), 4)
	if err != nil {
		t.Fatal(err)
	}
	return prefix + string(made[7:])
}
