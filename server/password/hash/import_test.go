package hash

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A hash that asks for more than the caps allow is refused at once, with what it asks for.
func TestImportIsBounded(t *testing.T) {
	const salt, tag = "MDEyMzQ1Njc4OWFiY2RlZg", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	letters := strings.Repeat("a", 85) + "1"
	for _, row := range []struct{ scheme, text, reason string }{
		{"", "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + tag, "4194304 KiB"},
		{"", "$argon2d$v=19$m=524288,t=1,p=1$" + salt + "$" + tag, "524288 KiB"},
		{"", "$2b$15$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C", "cost 15"},
		{"", "$wp$2y$15$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C", "cost 15"},
		{"", "$bcrypt-sha256$v=2,t=2b,r=31$abcdefghijklmnopqrstuu$MtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C", "cost 31"},
		{"", "$pbkdf2-sha256$1000000000$" + salt + "$nf65EOgLrQMR.uIPnA4rEsF5h7TKyQwu9U1bMCHGi.4", "1000000000 iterations"},
		{"", "$pbkdf2-sha512$i=1000000000,l=32$" + salt + "$" + tag, "1000000000 iterations"},
		{"", "$pbkdf2-sha512$i=1000,l=64$" + salt + "$" + tag, "not 64"},
		{"", "$pbkdf2-sha256$10000000$" + salt + "$nf65EOgLrQMR.uIPnA4rEsF5h7TKyQwu9U1bMCHGi.4", "10000000 iterations"},
		{"", "$pbkdf2-sha256$99999999999999999999$" + salt + "$nf65EOgLrQMR.uIPnA4rEsF5h7TKyQwu9U1bMCHGi.4", "not a number"},
		{"", "pbkdf2_sha256$1000000000$salt$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=", "1000000000 iterations"},
		{"", "pbkdf2:sha512:1000000000$salt$" + strings.Repeat("ab", 64), "1000000000 iterations"},
		{"", "{PBKDF2-SHA512}1000000000$" + salt + "$nf65EOgLrQMR.uIPnA4rEsF5h7TKyQwu9U1bMCHGi.4", "1000000000 iterations"},
		{"aspnet", "AQAAAAH/////AAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==", "4294967295 iterations"},
		{"", `{"secretData":"{\"value\":\"nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=\",\"salt\":\"c2FsdA==\"}","credentialData":"{\"hashIterations\":1000000000,\"algorithm\":\"pbkdf2-sha512\"}"}`, "1000000000 iterations"},
		{"", "$scrypt$ln=20,r=8,p=1$" + salt + "$" + tag, "KiB of memory"},
		{"", "$scrypt$ln=14,r=8,p=1000$" + salt + "$" + tag, "as much work"},
		{"", "$scrypt$ln=63,r=8,p=1$" + salt + "$" + tag, "N=2^63"},
		{"", "scrypt:1048576:1024:1$salt$" + strings.Repeat("ab", 64), "KiB of memory"},
		{"", "scrypt$16384$salt$8$16777216$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=", "p=16777216"},
		{"", "{scrypt}$180801$8bWJaSu2IKSn9Z9kM+TPXQ==$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=", "KiB of memory"},
		{"", "$fbscrypt$v=1,n=24,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVM=$42xEC+ixf3L2lw==$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=", "KiB of memory"},
		{"", "$6$rounds=999999999$salt$" + letters, "999999999 rounds"},
		{"", "$6$rounds=1000000000$salt$" + letters, "not within"},
		{"", "$y$jFT$salt$" + strings.Repeat("a", 42) + "1", "KiB of memory"},
		{"", "$y$jzT$salt$" + strings.Repeat("a", 42) + "1", "N=2^64"},
		{"", "$P$Sabcdefghaaaaaaaaaaaaaaaaaaaaa1", "2^30 rounds"},
		{"", "$S$Sabcdefgh" + strings.Repeat("a", 43), "2^30 rounds"},
	} {
		stored, err := Import(row.scheme, row.text, ImportOptions{})
		if !errors.Is(err, ErrFormat) || stored != "" || !strings.Contains(err.Error(), row.reason) {
			t.Errorf("%s: got %q, %v, want %q", row.text, stored, err, row.reason)
		}
		if err != nil && (strings.Contains(err.Error(), tag) || strings.Contains(err.Error(), salt)) {
			t.Errorf("%s: the error shows the hash: %v", row.text, err)
		}
	}
}

// What programs in use write by default is within the default caps.
func TestUsualCostsAreAllowed(t *testing.T) {
	const salt, tag = "MDEyMzQ1Njc4OWFiY2RlZg", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, text := range []string{
		"$argon2id$v=19$m=65536,t=3,p=4$" + salt + "$" + tag,
		"argon2$argon2id$v=19$m=102400,t=2,p=8$" + salt + "$" + tag,
		"pbkdf2_sha256$1200000$salt$" + tag + "=", // Django 6
		"pbkdf2:sha256:1000000$salt$" + strings.Repeat("ab", 32),
		"scrypt:32768:8:1$salt$" + strings.Repeat("ab", 64),
		"scrypt$16384$salt$8$5$" + tag + "=",
		"{scrypt@SpringSecurity_v5_8}$100801$8bWJaSu2IKSn9Z9kM+TPXQ==$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=",
		"{pbkdf2@SpringSecurity_v5_8}" + strings.Repeat("ab", 48),
		"$6$rounds=656000$salt$" + strings.Repeat("a", 85) + "1", // passlib
		"$5$rounds=535000$salt$" + strings.Repeat("a", 42) + "1",
		"$y$jCT$salt$" + strings.Repeat("a", 42) + "1",
		"$P$Babcdefghaaaaaaaaaaaaaaaaaaaaa1",
		"$S$Eabcdefgh" + strings.Repeat("a", 43),
		"$2y$12$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C",
	} {
		if _, err := Import("", text, ImportOptions{}); err != nil {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// A spelling that several programs use must be named, and a hash that is not spelled like the named one is refused.
func TestGuessesAreRefused(t *testing.T) {
	aspnet, saltKey := published[3].Hash, strings.Repeat("ab", 16)+":"+strings.Repeat("cd", 64)
	md5Hex, three := strings.Repeat("ab", 16), "sha1$salt$"+strings.Repeat("ab", 20)
	const bcrypt = "$2b$10$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C"
	for _, row := range []struct {
		scheme, text string
		ok           bool
	}{
		{"", aspnet, false}, {"aspnet", aspnet, true}, {"md5", aspnet, false}, {"aspnet", bcrypt, false}, {"aspnet", aspnet[4:], false},
		{"", saltKey, false}, {"better-auth", saltKey, true}, {"lucia", saltKey, true}, {"lucia-legacy", saltKey, true}, {"aspnet", saltKey, false},
		{"better-auth", saltKey[:len(saltKey)-2], false}, {"better-auth", bcrypt, false},
		{"", md5Hex, false}, {"md5", md5Hex, true}, {"sha1", md5Hex, false}, {"sha256", md5Hex, false}, {"aspnet", md5Hex, false},
		{"", three, false}, {"django", three, true}, {"werkzeug", three, true}, {"spring", three, false},
		{"", bcrypt, true}, {"bcrypt", bcrypt, true}, {"devise", bcrypt, true}, {"supabase", bcrypt, true}, {"django", bcrypt, false},
		{"", "{CRYPT}" + bcrypt, true}, {"", "{crypt}" + bcrypt, true}, {"ldap", "{CRYPT}" + bcrypt, true}, {"", "{CRYPT}abJnggxhB/yWI", false},
		{"", "abJnggxhB/yWI", false}, {"crypt", "abJnggxhB/yWI", false},
		{"nonsense", bcrypt, false}, {"", "", false}, {"", "hunter2", false}, {"plain", "", false},
		{"", "pbkdf2:sha256$salt$" + strings.Repeat("ab", 32), false}, // an old Werkzeug, with the iterations of its release
		{"", "{pbkdf2}" + strings.Repeat("ab", 48), false}, {"", "{SSHA}" + strings.Repeat("A", 27) + "=", false},
		{"", "{noop}", false}, {"signet", "$digest$md5$$q6urq6urq6urq6urq6urqw", false},
	} {
		stored, err := Import(row.scheme, row.text, ImportOptions{AllowWeak: row.scheme != "signet"})
		if (err == nil) != row.ok || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%q as %q: got %q, %v", row.text, row.scheme, stored, err)
		}
	}
	for text, part := range map[string]string{md5Hex: "hash_scheme=md5 and allow_weak=true", "this is no hash": "does not show which program made it"} {
		if _, err := Import("", text, ImportOptions{}); err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "name that with hash_scheme") || len(err.Error()) > 260 {
			t.Errorf("%s: got %v, want the member to name it with, in a line", text, err)
		}
	}
}

// Digests without a salt, and passwords in clear, are refused unless they are allowed.
func TestUnsaltedHashesMustBeAllowed(t *testing.T) {
	for _, row := range []made{
		{Scheme: "md5", Hash: strings.Repeat("ab", 16)}, {Scheme: "sha512", Hash: strings.Repeat("ab", 64)}, {Scheme: "plain", Hash: "hunter2"},
		{Hash: "{noop}hunter2"}, {Hash: "{SHA}mN7MYuzjmaIu0w1JDvMzvn/ec4U="}, {Hash: "{MD5}iOTd0kAtktUOGHnW7Nn/1A=="},
		{Scheme: "werkzeug", Hash: "md5$$" + strings.Repeat("ab", 16)}, {Scheme: "django", Hash: "md5$$" + strings.Repeat("ab", 16)},
	} {
		if stored, err := Import(row.Scheme, row.Hash, ImportOptions{}); !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), "weak") {
			t.Errorf("%s: got %q, %v, want a refusal", row.Hash, stored, err)
		}
		weak, err := Import(row.Scheme, row.Hash, ImportOptions{AllowWeak: true})
		if err != nil || !NeedsWrap(weak) {
			t.Errorf("%s: got %q, %v", row.Hash, weak, err)
			continue
		}
		if _, err := Parse(weak); err == nil {
			t.Errorf("%s: %q can be stored", row.Hash, weak)
		}
		checkWrapped(t, weak)
	}
}

// checkWrapped wraps what was imported. Its tag must be gone then.
func checkWrapped(t *testing.T, imported string) Hash {
	t.Helper()
	h, err := wrapNow(imported)
	if err != nil || !strings.Contains(h.String(), "$argon2id$v=19$m=8,t=1,p=1$") || NeedsWrap(h.String()) {
		t.Errorf("%s: wrapped: got %v, %v", imported, h, err)
		return nil
	}
	if tag := imported[strings.LastIndex(imported, "$")+1:]; len(tag) > 8 && strings.Contains(h.String(), tag[len(tag)-8:]) {
		t.Errorf("%s: the tag is in %s", imported, h)
	}
	return h
}

// What is fast to guess is wrapped although it has a salt, and nothing else is.
func TestFastHashesAreWrapped(t *testing.T) {
	const salt, tag = "MDEyMzQ1Njc4OWFiY2RlZg", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, row := range []struct {
		scheme, text string
		wrapped      string // the scheme of what is stored; "": as it is
	}{
		{"django", "md5$salt$" + strings.Repeat("ab", 16), "wrapped-salt-md5"},
		{"django", "sha1$salt$" + strings.Repeat("ab", 20), "wrapped-salt-sha1"},
		{"werkzeug", "md5$salt$" + strings.Repeat("ab", 16), "wrapped-hmac-md5"},
		{"werkzeug", "sha512$salt$" + strings.Repeat("ab", 64), "wrapped-hmac-sha512"},
		{"", "{SMD5}" + strings.Repeat("q", 32), "wrapped-md5"},
		{"", "{SSHA}" + strings.Repeat("q", 32), "wrapped-sha1"},
		{"", "{SSHA256}" + strings.Repeat("q", 48), "wrapped-sha256"},
		{"", "{SSHA512}" + strings.Repeat("q", 92), "wrapped-sha512"},
		{"", "{ldap}{SSHA}" + strings.Repeat("q", 32), "wrapped-sha1"},
		{"", "{MD5}{salt}" + strings.Repeat("ab", 16), "wrapped-md5"},
		{"", "{SHA-512}{salt}" + strings.Repeat("ab", 64), "wrapped-sha512"},
		{"", "{sha256}" + strings.Repeat("12", 8) + strings.Repeat("ab", 32), "wrapped-spring-sha256"},
		{"signet", "$digest$sha512$" + strings.Repeat("A", 86) + "$" + strings.Repeat("q", 85) + "A", "wrapped-sha512"}, // the longest salt
		{"", "$1$salt$" + strings.Repeat("a", 21) + "1", "wrapped-md5-crypt"},
		{"", "{CRYPT}$1$salt$" + strings.Repeat("a", 21) + "1", "wrapped-md5-crypt"},
		{"", "$apr1$salt$" + strings.Repeat("a", 21) + "1", "wrapped-apr1"},
		{"", "$P$Babcdefghaaaaaaaaaaaaaaaaaaaaa1", "wrapped-phpass"},
		{"", "$H$9abcdefghaaaaaaaaaaaaaaaaaaaaa1", "wrapped-phpass"},
		{"wordpress", "$P$Babcdefghaaaaaaaaaaaaaaaaaaaaa1", "wrapped-phpass-wordpress"},
		{"", "U$S$7abcdefgh" + strings.Repeat("a", 43), "wrapped-drupal-md5"},
		{"aspnet", published[3].Hash, "wrapped-pbkdf2"},
		{"", "pbkdf2_sha256$9000$salt$" + tag + "=", "wrapped-pbkdf2-sha256"},
		{"", `{"hashedSaltedValue":"` + tag + `=","salt":"c2FsdA==","hashIterations":1,"algorithm":"pbkdf2"}`, "wrapped-pbkdf2"},
		{"", "$5$salt$" + strings.Repeat("a", 42) + "1", "wrapped-sha256-crypt"},
		{"", "$6$salt$" + strings.Repeat("a", 85) + "1", "wrapped-sha512-crypt"},
		{"", "$scrypt$ln=4,r=8,p=1$" + salt + "$" + tag, "wrapped-scrypt"},

		{"", "pbkdf2_sha256$10000$salt$" + tag + "=", ""}, // the first Django that had it
		{"", "$6$rounds=10000$salt$" + strings.Repeat("a", 85) + "1", ""},
		{"", "$P$Dabcdefghaaaaaaaaaaaaaaaaaaaaa1", ""},
		{"", "$S$Dabcdefgh" + strings.Repeat("a", 43), ""},
		{"", "$scrypt$ln=14,r=8,p=1$" + salt + "$" + tag, ""},
		{"", "$y$j9T$salt$" + strings.Repeat("a", 42) + "1", ""},
		{"", "$2b$04$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C", ""},
		{"", "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + tag, ""},
	} {
		imported, err := Import(row.scheme, row.text, ImportOptions{})
		if err != nil || NeedsWrap(imported) != (row.wrapped != "") {
			t.Errorf("%s: got %q, %v", row.text, imported, err)
			continue
		}
		if row.wrapped == "" {
			if h, err := wrapNow(imported); !errors.Is(err, ErrFormat) {
				t.Errorf("%s: wrapped all the same: got %v, %v", row.text, h, err)
			}
			continue
		}
		h := checkWrapped(t, imported)
		if h == nil {
			continue
		}
		inner, err := Parse(imported) // as an earlier version stored it
		if err != nil || h.Scheme() != row.wrapped || !h.Weaker(Params{}) || h.Price().Work <= inner.Price().Work || h.Kind() == inner.Kind() {
			t.Errorf("%s: got %s of %+v, inner %v, %v", row.text, h.Scheme(), h.Price(), inner, err)
		}
	}
	for _, text := range []string{"", "$digest$", "$digest$md5$$", "$digest$md5$c2FsdA$q6ur", "$plain$!", "$2b$10$x"} {
		if h, err := wrapNow(text); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: got %v, %v, want ErrFormat", text, h, err)
		}
	}
}

// What is stored has one spelling, without a tag of the inner hash, and no more work than a hash may be.
func TestDamagedWrappedHashesAreRefused(t *testing.T) {
	const outer = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, good := range []string{"$wrapped-md5" + outer, "$wrapped$$1$salt$" + strings.Repeat(".", 22) + outer, "$wrapped$$digest$md5$c2FsdA$" + strings.Repeat("A", 22) + outer} {
		if h, err := Parse(good); err != nil || h.String() != good {
			t.Errorf("%s: got %v, %v", good, h, err)
		}
	}
	for name, text := range map[string]string{
		"no inner":             "$wrapped$" + outer,
		"no outer":             "$wrapped$$1$salt$" + strings.Repeat(".", 22),
		"a tag":                "$wrapped$$1$salt$" + strings.Repeat(".", 20) + "/." + outer,
		"a tag of bytes":       "$wrapped$$digest$md5$c2FsdA$" + strings.Repeat("A", 20) + "BA" + outer,
		"no salt":              "$wrapped$$digest$md5$$" + strings.Repeat("A", 22) + outer,
		"not wrapped":          "$wrapped$$pbkdf2-sha256$100000$c2FsdA$" + strings.Repeat("A", 43) + outer,
		"bcrypt inside":        "$wrapped$$2b$04$abcdefghijklmnopqrstuu" + strings.Repeat(".", 31) + outer,
		"endless":              "$wrapped$$pbkdf2-sha256$4294967295$c2FsdA$" + strings.Repeat("A", 43) + outer,
		"argon2 inside":        "$wrapped$" + outer + outer,
		"wrapped inside":       "$wrapped$$wrapped-md5" + outer + outer,
		"wrapped inside twice": "$wrapped$$wrapped$$1$salt$" + strings.Repeat(".", 22) + outer + outer,
		"argon2i outside":      "$wrapped$$1$salt$" + strings.Repeat(".", 22) + strings.Replace(outer, "2id", "2i", 1),
		"unknown digest":       "$wrapped-md6" + outer,
		"salted digest":        "$wrapped-md5$c2FsdA" + outer,
	} {
		if h, err := Parse(text); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, %v, want ErrFormat", name, h, err)
		}
	}
}

// FuzzImport: whatever is imported, reading it ends at once, and what is accepted can be stored, has one spelling and a
// bounded price.
func FuzzImport(f *testing.F) {
	for _, m := range published {
		f.Add(m.Scheme, m.Hash)
	}
	for _, v := range vectors {
		f.Add("", v.encoded)
	}
	for _, s := range spellings() {
		f.Add(s.scheme, s.prefix+"2b$10$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C")
	}
	f.Fuzz(func(t *testing.T, scheme, text string) {
		stored, err := Import(scheme, text, ImportOptions{AllowWeak: true})
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("got %v, want ErrFormat", err)
			}
			return
		}
		if NeedsWrap(stored) {
			wrapped, err := wrapNow(stored)
			if err != nil || NeedsWrap(wrapped.String()) {
				t.Fatalf("%q as %q: %q cannot be wrapped: %v", text, scheme, stored, err)
			}
			wrapped.Verify([]byte(text))
			stored = wrapped.String()
		}
		h, err := Parse(stored)
		if err != nil || h.String() != stored {
			t.Fatalf("%q as %q: %q reads as %v, %v", text, scheme, stored, h, err)
		}
		if p, caps := h.Price(), (Caps{}).WithDefaults(); p.Work == 0 || p.Memory>>10 > uint64(caps.Memory) || p.Work > bcryptWork<<caps.BcryptCost {
			t.Errorf("%q as %q: accepted at %+v", text, scheme, p)
		}
		if d, err := Parse(h.Dummy().String()); err != nil || d.Kind() != h.Kind() {
			t.Errorf("dummy of %q: got %v, %v", stored, d, err)
		}
	})
}

// Only a hash that has a salt and takes many steps may be wrapped later: not a digest that is made once, nor one of so few steps
// that it is as good as one, nor what need not be wrapped at all.
func TestWhatMayBeWrappedLater(t *testing.T) {
	const tag = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, row := range []struct {
		scheme, text string
		later        bool
	}{
		{"", "$P$Babcdefghaaaaaaaaaaaaaaaaaaaaa1", true},
		{"wordpress", "$P$Babcdefghaaaaaaaaaaaaaaaaaaaaa1", true},
		{"", "$1$salt$" + strings.Repeat("a", 21) + "1", true},
		{"", "$6$salt$" + strings.Repeat("a", 85) + "1", true},
		{"aspnet", published[3].Hash, true},
		{"", "pbkdf2_sha256$9000$salt$" + tag + "=", true},

		{"", "$P$5abcdefghaaaaaaaaaaaaaaaaaaaaa1", false}, // 128 rounds
		{"", "pbkdf2_sha256$9$salt$" + tag + "=", false},
		{"django", "md5$salt$" + strings.Repeat("ab", 16), false},
		{"", "{SSHA512}" + strings.Repeat("q", 92), false},
		{"", "{sha256}" + strings.Repeat("12", 8) + strings.Repeat("ab", 32), false},
		{"md5", strings.Repeat("ab", 16), false},
		{"plain", "secret", false},
		{"", "pbkdf2_sha256$10000$salt$" + tag + "=", false}, // need not be
		{"", "$2b$04$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C", false},
	} {
		imported, err := Import(row.scheme, row.text, ImportOptions{AllowWeak: true})
		if err != nil || MayWait(imported) != row.later {
			t.Errorf("%s: got %q, %v, may wait %t", row.text, imported, err, !row.later)
		}
	}
}
