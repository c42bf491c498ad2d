package hash

import (
	"strings"
	"testing"
	"time"
)

// BenchmarkPrice reports how long a hash of each format takes for its price, in relation to argon2id. The two
// take turns, so that whatever else the machine does meets both. 1 is exact; a pool weighs well from a half to two.
func BenchmarkPrice(b *testing.B) {
	const salt, tag = "MDEyMzQ1Njc4OWFiY2RlZg", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	unit := New(Params{}.WithDefaults(), []byte("Correct Horse Battery"))
	for _, text := range []string{
		"$argon2d$v=19$m=19456,t=2,p=1$" + salt + "$" + tag,
		"$2b$09$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C",
		"pbkdf2_sha1$100000$salt$" + strings.Repeat("A", 27) + "=",
		"pbkdf2_sha256$100000$salt$" + tag + "=",
		"$pbkdf2-sha512$50000$" + salt + "$" + strings.Repeat("A", 86),
		"$scrypt$ln=14,r=8,p=1$" + salt + "$" + tag,
		"$5$rounds=50000$salt$" + strings.Repeat("a", 42) + "1",
		"$6$rounds=50000$salt$" + strings.Repeat("a", 85) + "1",
		"$1$salt$" + strings.Repeat("a", 21) + "1",
		"$y$j9T$salt$" + strings.Repeat("a", 42) + "1",
		"$P$Eabcdefghaaaaaaaaaaaaaaaaaaaaa1",
		"$S$Eabcdefgh" + strings.Repeat("a", 43),
	} {
		stored, err := Import("", text, ImportOptions{})
		if err != nil {
			b.Fatal(err)
		}
		h, err := Parse(stored)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(h.Kind(), func(b *testing.B) {
			var known, measured time.Duration
			for b.Loop() {
				start := time.Now()
				unit.Verify([]byte("Correct Horse Battery"))
				middle := time.Now()
				h.Verify([]byte("Correct Horse Battery"))
				known += middle.Sub(start)
				measured += time.Since(middle)
			}
			own := float64(measured) / float64(h.Price().Work)
			b.ReportMetric(own/(float64(known)/float64(unit.Price().Work)), "time/price")
		})
	}
}
