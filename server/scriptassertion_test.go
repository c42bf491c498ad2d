package server_test

import (
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// assert signs a client assertion of robot. Its arguments change a good one: a claim with its value
// (exp=+60 is a minute from now, aud=[a,b] an array, jti= leaves it out), header.kid=two, alg=none, or by=stranger.
func (sc *script) assert(args []string) string {
	d := sc.stage.robot.draft(sc.stage.Server, robot)
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		member, isHeader := strings.CutPrefix(name, "header.")
		switch {
		case name == "by":
			return sc.assertBy(d, value)
		case name == "alg":
			return segment(map[string]any{"alg": value}) + "." + segment(d.claims) + "."
		case isHeader:
			d.header[member] = sc.evilOr(value)
		case value == "":
			delete(d.claims, name)
		default:
			d.claims[name] = sc.claimValue(value)
		}
	}
	return d.sign()
}

// assertBy has somebody else sign: a stranger, or one who takes the public key for a secret.
func (sc *script) assertBy(d *draft, who string) string {
	if who == "stranger" {
		d.key.private = sc.stranger().private
		return d.sign()
	}
	secret, known := macKeys(sc, d.key)[who]
	if !known {
		sc.Fatalf("there is no signer %s", who)
	}
	d.header["alg"] = "HS256"
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, d.claims)
	token.Header = d.header
	forged, err := token.SignedString(secret)
	if err != nil {
		sc.Fatalf("%v", err)
	}
	return forged
}

// evilOr is what a careless verifier would act on, where the word names something like that.
func (sc *script) evilOr(word string) any {
	switch word {
	case "url", "chain", "key", "unheard-of", "false":
		return sc.evil(word)
	}
	return word
}

func (sc *script) claimValue(text string) any {
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		seconds, err := strconv.Atoi(text)
		if err != nil {
			sc.Fatalf("%v", err)
		}
		return sc.stage.Clock.Now().Add(time.Duration(seconds) * time.Second).Unix()
	}
	if list, ok := strings.CutPrefix(text, "["); ok {
		return strings.Split(strings.TrimSuffix(list, "]"), ",")
	}
	return text
}
