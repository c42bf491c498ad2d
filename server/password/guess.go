package password

import (
	_ "embed" // common.txt
	"fmt"
	"strings"
	"unicode"
)

// common holds words and phrases that people build passwords from, lower case, one a line.
//
//go:embed common.txt
var common string

// minPieces is the least number of pieces a password may fall into. Seven characters without any
// pattern are seven pieces; a well-known word and a year are two.
const minPieces = 7

// guessable refuses a normalised password that is quickly guessed: one that falls into few pieces,
// each a well-known word, a sequence, a repetition or a word of the context, and one of which more
// than half is context.
func guessable(password string, context []string) error {
	text := fold(password)
	if n := pieces(text, strings.Fields(common)); n < minPieces {
		return fmt.Errorf("%w: it is built from common words, keyboard rows, sequences or repetitions: it has %d such parts (a known word, name or phrase, a year, "+
			"a keyboard row, a repetition, or a single character) and needs %d; add words that have nothing to do with each other", ErrCommon, n, minPieces)
	}
	if pieces(text, append(context, strings.Fields(common)...)) < minPieces || 2*covered(text, context) > len(text) {
		return fmt.Errorf("%w; leave them out, or add words that have nothing to do with them", ErrContext)
	}
	return nil
}

// fold drops what does not make a guess harder: case, and what stands between words.
func fold(s string) []rune {
	return []rune(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -_.,'", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s))
}

// contextWords splits the user name and the context into the words that a password would use:
// "alice.smith@example.com" gives itself, alice, smith and example, but not com.
func contextWords(username string, context []string) []string {
	var words []string
	add := func(s string) {
		if w := string(fold(s)); len([]rune(w)) >= minWord {
			words = append(words, w)
		}
	}
	for _, s := range append([]string{username}, context...) {
		local, domain, _ := strings.Cut(s, "@")
		if dot := strings.LastIndexByte(domain, '.'); dot >= 0 {
			domain = domain[:dot]
		}
		add(s)
		add(local)
		for _, w := range strings.FieldsFunc(local+" "+domain, notWord) {
			add(w)
		}
	}
	return words
}

func notWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }

// minWord is the length from which a context word counts.
const minWord = 3

// pieces is the least number of pieces that make up text, where a piece is a word, a walk, a year,
// a copy of earlier text, or else a single character. From minPieces on the number may be too high:
// what lies so many pieces away is not looked at, which makes the usual password a quick one.
func pieces(text []rune, words []string) int {
	least := make([]int, len(text)+1)
	for i := range least {
		least[i] = i
	}
	for i := range text {
		if least[i] >= minPieces-1 {
			continue
		}
		reach := func(length int) { least[i+length] = min(least[i+length], least[i]+1) }
		reach(1)
		for _, w := range words {
			if n := matchWord(text[i:], w); n > 0 {
				reach(n)
			}
		}
		run := max(walk(text[i:]), repeat(text, i))
		for n := minRun; n <= run; n++ {
			reach(n)
		}
		if isYear(text[i:]) {
			reach(4)
		}
	}
	return least[len(text)]
}

// covered counts the characters of text that belong to one of the words.
func covered(text []rune, words []string) int {
	end, n := 0, 0
	for i := range text {
		for _, w := range words {
			end = max(end, i+matchWord(text[i:], w))
		}
		if i < end {
			n++
		}
	}
	return n
}
