package clientauth

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParseBasic(f *testing.F) {
	for _, seed := range []string{"Basic d2ViOnNlY3JldA==", "basic Og==", "Basic", "Bearer x", "Basic JTAwOg==", "Basic  d2ViOng="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got, err := parseBasic(header)
		if err != nil {
			return
		}
		if got.method != SecretBasic || !utf8.ValidString(got.id+got.secret) || strings.Contains(got.id+got.secret, "\x00") {
			t.Errorf("%q: got %+v", header, got)
		}
	})
}
