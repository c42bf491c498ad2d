package password

// minRun is the length from which walks and repetitions count as one piece.
const minRun = 3

// walks are the rows, columns and zigzags of keyboards, the alphabet and the digits.
func walks() []string {
	return []string{
		"abcdefghijklmnopqrstuvwxyz", "01234567890", "1234567890",
		"qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn",
		"!@#$%^&*()", "!\"§$%&/()=", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp",
		"1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "a1b2c3d4e5f6g7h8i9", "147258369", "741852963", "159357",
	}
}

// matchWord returns how many characters of text at its beginning spell w, with the usual
// substitutions, or 0.
func matchWord(text []rune, w string) int {
	n := 0
	for _, r := range w {
		if n == len(text) || text[n] != r && !substitutes(text[n], r) {
			return 0
		}
		n++
	}
	return n
}

// substitutes reports whether people write c for the letter r.
func substitutes(c, r rune) bool {
	switch c {
	case '@', '4':
		return r == 'a'
	case '8':
		return r == 'b'
	case '3', '€':
		return r == 'e'
	case '6', '9':
		return r == 'g'
	case '1', '!', '|':
		return r == 'i' || r == 'l'
	case '0':
		return r == 'o'
	case '$', '5':
		return r == 's'
	case '7', '+':
		return r == 't'
	case '2':
		return r == 'z'
	}
	return false
}

// walk returns how far text goes along one of the walks, in either direction; at its end a walk
// begins again.
func walk(text []rune) int {
	longest := 0
	for _, w := range walks() {
		row := []rune(w)
		for at, r := range row {
			if r == text[0] {
				longest = max(longest, follow(text, row, at, 1), follow(text, row, at, len(row)-1))
			}
		}
	}
	return longest
}

func follow(text, row []rune, at, step int) int {
	n := 0
	for n < len(text) && text[n] == row[at] {
		n, at = n+1, (at+step)%len(row)
	}
	return n
}

// repeat returns the longest stretch at text[at:] that also begins earlier. The two may overlap, so
// that "aaaaaa" is one a and a repetition.
func repeat(text []rune, at int) int {
	longest := 0
	for from := range at {
		if longest == len(text)-at {
			break
		}
		n := 0
		for at+n < len(text) && text[from+n] == text[at+n] {
			n++
		}
		longest = max(longest, n)
	}
	return longest
}

// isYear reports whether text begins with a year that people choose, such as that of a birth.
func isYear(text []rune) bool {
	if len(text) < 4 {
		return false
	}
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	century := string(text[:2])
	return (century == "19" || century == "20") && digit(text[2]) && digit(text[3])
}
