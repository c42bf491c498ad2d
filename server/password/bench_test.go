package password

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

// BenchmarkVerifyOverHash reports how much Verify costs beyond the argon2id call that it is for. The
// two take turns, so that whatever else the machine does meets both.
func BenchmarkVerifyOverHash(b *testing.B) {
	p := New(Config{})
	const right = "Correct Horse Battery"
	encoded, err := p.Hash(b.Context(), right)
	if err != nil {
		b.Fatal(err)
	}
	salt, costs := make([]byte, 16), p.params
	var bare, whole time.Duration
	for b.Loop() {
		start := time.Now()
		argon2.IDKey([]byte(right), salt, costs.Time, costs.Memory, costs.Threads, 32)
		middle := time.Now()
		if got, err := p.Verify(b.Context(), encoded, right); err != nil || !got.Match {
			b.Fatalf("got %+v, %v, want a match", got, err)
		}
		bare += middle.Sub(start)
		whole += time.Since(middle)
	}
	b.ReportMetric(float64(whole)/float64(bare), "verify/hash")
}

// BenchmarkPolicyCheck: the longest passwords, one without a pattern and one that is all pattern. Both
// must stay small beside a hash.
func BenchmarkPolicyCheck(b *testing.B) {
	for name, password := range map[string]string{
		"plain":   strings.Repeat("kettle umbrage violin sock turnip ", 7),
		"pattern": strings.Repeat("19", MaxLength/2),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = Policy{Context: []string{"signet"}}.Check("alice.smith@example.com", password)
			}
		})
	}
}
