package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// canary is a secret that must not turn up anywhere but where it was sent.
type canary struct{ name, value string }

// canaryPiece is how much of a long canary is found by itself: who is given half of a secret guesses
// the other half.
const canaryPiece = 16

// pieces are parts of the canary; whoever repeats 24 of its characters in a row repeats one of them.
func (c canary) pieces() (list []string) {
	if len(c.value) < 2*canaryPiece {
		return []string{c.value}
	}
	for i := 0; i+canaryPiece <= len(c.value); i += canaryPiece / 2 {
		list = append(list, c.value[i:i+canaryPiece])
	}
	return list
}

// forms are how programs write bytes: as they are, in the spellings of URLs, JSON and HTTP Basic, and
// in those of whoever dumps memory. All are in lower case, and so is what they are looked for in:
// names of users are, too.
func (c canary) forms() map[string]string {
	forms := map[string]string{}
	for _, piece := range c.pieces() {
		forms[piece] = "plain"
		forms[hex.EncodeToString([]byte(piece))] = "hex"
		forms[fmt.Sprintf("% x", piece)] = "hex with spaces"
		forms["%"+strings.ReplaceAll(fmt.Sprintf("% x", piece), " ", "%")] = "percent-encoded"
		forms[url.QueryEscape(piece)] = "form-encoded"
		forms[url.PathEscape(piece)] = "path-encoded"
		if quoted, err := json.Marshal(piece); err == nil {
			forms[strings.Trim(string(quoted), `"`)] = "in JSON"
		}
		forms[strings.Trim(fmt.Sprint([]byte(piece)), "[]")] = "decimal bytes"
		// What base64 makes of it depends on how many bytes are before it; its ends on what is around it.
		for before := range 3 {
			for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				text := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + piece))
				whole := (before + len(piece)) / 3 * 4
				forms[text[(before*8+5)/6:whole]] = "base64"
			}
		}
	}
	lower := make(map[string]string, len(forms))
	for text, form := range forms {
		lower[strings.ToLower(text)] = form
	}
	return lower
}

// findCanaries names each that is in the text, and what is around it.
func findCanaries(text string, list []canary) (found []string) {
	lower := strings.ToLower(text)
	for _, c := range list {
		for written, form := range c.forms() {
			if at := strings.Index(lower, written); at >= 0 {
				found = append(found, fmt.Sprintf("%s (%s) in %q", c.name, form, lower[max(0, at-150):min(len(lower), at+len(written)+60)]))
				break
			}
		}
	}
	return found
}

// What looks for canaries finds each that is planted, however it is written and whatever is around
// it, and nothing where there is none.
func TestCanariesAreFound(t *testing.T) {
	long := canary{"long", "Canary+Zq7/kT2wPx9 Lm4:Vb8nHs3dRf6"}
	short := canary{"short", "Cnry7/q wP"}
	for _, c := range []canary{long, short} {
		plants := map[string]string{
			"plain":           c.value,
			"lower case":      strings.ToLower(c.value),
			"in a URL":        "/x?password=" + url.QueryEscape(c.value) + "&y",
			"in a path":       "/v1/" + url.PathEscape(c.value),
			"every byte":      escapeEach(c.value),
			"in JSON":         fmt.Sprintf(`{"a":%q}`, c.value),
			"hex":             hex.EncodeToString([]byte(c.value)),
			"HEX":             strings.ToUpper(hex.EncodeToString([]byte(c.value))),
			"printed bytes":   fmt.Sprint([]byte(c.value)),
			"dumped":          fmt.Sprintf("% x", c.value),
			"Basic, secret":   base64.StdEncoding.EncodeToString([]byte("web:" + c.value)),
			"Basic, id":       base64.StdEncoding.EncodeToString([]byte(c.value + ":x")),
			"Basic, one more": base64.StdEncoding.EncodeToString([]byte("client:" + c.value)),
			"base64url":       base64.RawURLEncoding.EncodeToString([]byte("ab" + c.value)),
		}
		if c == long {
			plants["its first half"], plants["its second half"] = c.value[:25], c.value[11:]
		}
		for name, text := range plants {
			around := strings.Repeat("log line\n", 100) + text + strings.Repeat("\nanother", 100)
			if found := findCanaries(around, []canary{c}); len(found) != 1 {
				t.Errorf("%s canary, %s: found %v, want it once", c.name, name, found)
			}
		}
		if found := findCanaries("Canary Zq7 Cnry7/q w "+strings.Repeat("nothing ", 100), []canary{c}); len(found) != 0 {
			t.Errorf("%s canary: found %v where there is none", c.name, found)
		}
	}
}

func escapeEach(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}
