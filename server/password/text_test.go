package password

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		" Aa ß \u00a0 ":       " Aa ß \u00a0 ", // nothing is trimmed or folded
		"e\u0301":             "é",
		"\u212b":              "Å",             // ANGSTROM SIGN, by NFC
		"ﬁ\uff21":             "ﬁ\uff21",       // compatibility forms stay: NFC, not NFKC
		"👩\u200d🚀":            "👩\u200d🚀",      // joiners belong to text
		"a\u202eb":            "a\u202eb",      // so do other format characters
		"q\u0307\u0323":       "q\u0323\u0307", // canonical order
		"\u1112\u1161\u11ab!": "\ud55c!",
	} {
		if got, err := Normalize(in); err != nil || got != want {
			t.Errorf("%+q: got %+q, %v, want %+q", in, got, err, want)
		}
	}
	for _, in := range []string{"\x00", "a\x00b", "a\tb", "a\r\n", "\x1b[0m", "\x7f", "\u0080", "\u009f", "\xc3", "\xed\xa0\x80", "\xc0\x80"} {
		got, err := Normalize(in)
		if got != "" || !errors.Is(err, ErrPassword) {
			t.Errorf("%+q: got %+q, %v, want ErrPassword", in, got, err)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("Zu\u0308rich")
	f.Add("a\x00b")
	f.Add("q\u0307\u0323" + strings.Repeat("\u0301", 40))
	f.Fuzz(func(t *testing.T, in string) {
		got, err := Normalize(in)
		bad := !utf8.ValidString(in) || strings.ContainsFunc(in, unicode.IsControl)
		if (err != nil) != bad {
			t.Fatalf("%+q: got error %v, want one: %v", in, err, bad)
		}
		if again, err2 := Normalize(got); err == nil && (err2 != nil || again != got) {
			t.Errorf("%+q: got %+q and then %+q, %v", in, got, again, err2)
		}
		if other, _ := Normalize(norm.NFD.String(in)); err == nil && other != got {
			t.Errorf("%+q: got %+q, and %+q from its NFD", in, got, other)
		}
	})
}

func TestCanonicalUsername(t *testing.T) {
	long := strings.Repeat("a", maxUsername)
	for in, want := range map[string]string{
		"alice":                       "alice",
		"ALICE":                       "alice",
		"Alice.Smith+x@Example.COM":   "alice.smith+x@example.com",
		"\uff21\uff4c\uff49ce":        "alice", // full-width
		"alice\uff20example.com":      "alice@example.com",
		"Zu\u0308rich":                "zürich",
		"ΣΊΣΥΦΟΣ":                     "σίσυφος",
		"Σίσυφος":                     "σίσυφος",
		"ΝΊΚΟΣ@ΕΛΛΆΣ":                 "νίκος@ελλάς",
		"1é":                          "1é",
		"007бонд":                     "007бонд",
		"_ñandú":                      "_ñandú",
		"-Ö-":                         "-ö-",
		"1.山田":                        "1.山田",
		"\u05d0\u05d1":                "\u05d0\u05d1", // in Hebrew
		"ali\uff11\uff12":             "ali12",        // full-width digits
		"\u1e9e":                      "ß",
		"\u00df":                      "ß",
		"ЖЕНЯ":                        "женя",
		"山田":                          "山田",
		"o'brien":                     "o'brien",
		long:                          long,
		strings.Repeat("\uff41", 106): strings.Repeat("a", 106),
	} {
		if got, err := CanonicalUsername(in); err != nil || got != want {
			t.Errorf("%+q: got %+q, %v, want %+q", in, got, err, want)
		}
	}
	for name, in := range map[string]string{
		"empty": "", "leading space": " alice", "trailing space": "alice ", "space inside": "alice smith",
		"ideographic space": "alice\u3000", "no-break space": "\u00a0alice", "tab": "alice\t", "newline": "alice\n",
		"NUL": "ali\x00ce", "zero-width space": "al\u200bice", "zero-width joiner": "al\u200dice",
		"zero-width non-joiner": "al\u200cice", "joiner where PRECIS allows it": "\u0915\u094d\u200d\u0937",
		"byte order mark": "\ufeffalice", "soft hyphen": "al\u00adice", "word joiner": "al\u2060ice",
		"right to left override": "\u202ealice", "variation selector": "alice\ufe0f", "ligature": "of\ufb01ce",
		"superscript": "alice²", "mathematical": "\U0001d41alice", "emoji": "👩", "not UTF-8": "al\xffice",
		"mixed directions": "alice\u05d0", "a digit before Hebrew": "1\u05d0", "Arabic digits beside Latin": "a\u0661", "321 bytes": long + "a", "107 full-width": strings.Repeat("\uff41", 107),
	} {
		got, err := CanonicalUsername(in)
		if got != "" || !errors.Is(err, ErrUsername) {
			t.Errorf("%s %+q: got %+q, %v, want ErrUsername", name, in, got, err)
		}
	}
}

// The domain of an e-mail address has one spelling, whichever it was typed in.
func TestUsernameDomains(t *testing.T) {
	const persian = "xn--mgba3gch31f060k.example" // has a zero-width non-joiner, which names cannot have
	for want, typed := range map[string][]string{
		"ada@bücher.example": {"ada@bücher.example", "ADA@BÜCHER.EXAMPLE", "ada@xn--bcher-kva.example", "Ada@XN--BCHER-KVA.example",
			"ada@bücher.example", "ada@bücher。example", "ada@xn--bcher-kva．example", "ada@xn--bcher-kva｡example",
			"ada＠bücher.example", "ada@ｂücher.example"},
		"ada@example.com":                              {"ada@example.com", "ada@EXAMPLE.com", "ada@example。com", "ａda@ｅxample.com"},
		"ada@straße.example":                           {"ada@straße.example", "ada@xn--strae-oqa.example"}, // two names since IDNA 2008
		"ada@strasse.example":                          {"ada@STRASSE.example"},
		"νίκος@ελλάς":                                  {"ΝΊΚΟΣ@ΕΛΛΆΣ", "νίκος@xn--hxarsa0b"},
		"ada@xn--4dbcagdahymbxekheh6e0a7fei0b.example": {"ada@xn--4dbcagdahymbxekheh6e0a7fei0b.example"}, // in Unicode it would mix directions
		"ada@xn--ls8h.example":                         {"ada@xn--ls8h.example"},                         // an emoji
		"ada@" + persian:                               {"ada@" + persian},
		"ada@xn--":                                     {"ada@xn--"}, // no domain at all: as it is
		"ada@xn--zzzzzzzz99999.example":                {"ada@xn--zzzzzzzz99999.example"},
		"a_b@host_name":                                {"A_B@host_name"},
		"xn--bcher-kva@example.com":                    {"xn--bcher-kva@example.com"}, // not in a domain
		"@bücher.example":                              {"@xn--bcher-kva.example"},
		"ada@":                                         {"ada@"},
		"a@b@bücher.example":                           {"a@b@xn--bcher-kva.example"},
	} {
		for _, in := range typed {
			if got, err := CanonicalUsername(in); err != nil || got != want {
				t.Errorf("%+q: got %+q, %v, want %+q", in, got, err, want)
			}
		}
	}
	for _, in := range []string{"ada@bücher .example", "ada @bücher.example", "א@bücher.example"} {
		if got, err := CanonicalUsername(in); !errors.Is(err, ErrUsername) {
			t.Errorf("%+q: got %+q, %v, want ErrUsername", in, got, err)
		}
	}
}

// Earlier versions stored names in capitals without the final sigma, and domains as they were typed. Their users are found.
func TestUsernameSpellings(t *testing.T) {
	for in, want := range map[string][]string{
		"ALICE@Example.com":            {"alice@example.com"},
		"1é":                           {"1é"},
		"ΝΊΚΟΣ":                        {"νίκος", "νίκοσ"},
		"νίκοσ":                        {"νίκοσ"},
		"Νίκος":                        {"νίκος"},
		"ada@bücher.example":           {"ada@bücher.example", "ada@xn--bcher-kva.example"},
		"Ada@xn--bcher-kva.example":    {"ada@xn--bcher-kva.example", "ada@bücher.example"},
		"ΝΊΚΟΣ@xn--bcher-kva.example":  {"νίκος@xn--bcher-kva.example", "νίκος@bücher.example", "νίκοσ@xn--bcher-kva.example", "νίκοσ@bücher.example"},
		"ada@xn--bcher-kva.bücher.com": {"ada@xn--bcher-kva.bücher.com", "ada@bücher.bücher.com", "ada@xn--bcher-kva.xn--bcher-kva.com"},
	} {
		if got, err := UsernameSpellings(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	if got, err := UsernameSpellings("a b@bücher.example"); !errors.Is(err, ErrUsername) {
		t.Errorf("got %q, %v, want ErrUsername", got, err)
	}
}

func TestTrimUsername(t *testing.T) {
	for in, want := range map[string]string{" alice\t": "alice", "\u00a0alice\u3000": "alice", "a b": "a b", " ": "", "alice\u200b": "alice\u200b"} {
		if got := TrimUsername(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// 'İ' becomes two characters: what fits before the mapping must still fit after it.
func TestCanonicalUsernameGrows(t *testing.T) {
	in := strings.Repeat("\u0130", maxUsername/2)
	if got, err := CanonicalUsername(in); !errors.Is(err, ErrUsername) {
		t.Errorf("got %d bytes, %v, want ErrUsername", len(got), err)
	}
}

func TestCanonicalUsernameConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got, err := CanonicalUsername("Zu\u0308RICH\uff21"); err != nil || got != "züricha" {
					t.Errorf("got %q, %v, want züricha", got, err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzCanonicalUsername(f *testing.F) {
	for _, s := range []string{"Alice@Example.COM", "\uff21\uff4c", "\u0130", "\u1e9e", "ς", "ﾊﾟ", "\u05d0\u05d1", "l·l", "\u0387", "\U0001e95e", "a@B\u00dccher.example", "a@xn--bcher-kva.example",
		"\u039d\u03a3@xn--hxarsa0b", "a\uff20\uab70.example", "a@x\u3002y", "a@xn--\u05d0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := CanonicalUsername(in)
		if err != nil {
			if got != "" || !errors.Is(err, ErrUsername) {
				t.Fatalf("%+q: got %+q, %v", in, got, err)
			}
			return
		}
		if len(in) > maxUsername || len(got) > maxUsername || got == "" {
			t.Errorf("%+q: got %d bytes from %d", in, len(got), len(in))
		}
		if strings.ContainsFunc(got, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z) }) {
			t.Errorf("%+q: got %+q, with something invisible", in, got)
		}
		if again, err := CanonicalUsername(got); err != nil || again != got {
			t.Errorf("%+q: got %+q, and then %+q, %v", in, got, again, err)
		}
		spellings, err := UsernameSpellings(in)
		if err != nil || !slices.Contains(spellings, got) || len(spellings) > 8 {
			t.Errorf("%+q: got %+q, %v, want %+q among them", in, spellings, err, got)
		}
		for _, s := range spellings {
			if same, err := CanonicalUsername(s); err == nil && same != got && !strings.Contains(s, "\u03c3") { // a sigma that is not final is another name
				t.Errorf("%+q: the spelling %+q is the name %+q, want %+q", in, s, same, got)
			}
		}
	})
}
