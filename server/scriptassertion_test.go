package server_test

import (
	"strconv"
	"strings"
	"time"

	"signet/server/servertest"

	"github.com/golang-jwt/jwt/v5"
)

// assert signs a client assertion of robot. Its arguments change a good one: a claim with its value
// (exp=+60 is a minute from now, aud=[a,b] an array, jti= leaves it out), header.kid=two, alg=none, or by=stranger.
func (sc *script) assert(args []string) string {
	d := sc.stage.robot.Draft(sc.stage.Server, robot)
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		member, isHeader := strings.CutPrefix(name, "header.")
		switch {
		case name == "by":
			return sc.assertBy(d, value)
		case name == "alg":
			return segment(map[string]any{"alg": value}) + "." + segment(d.Claims) + "."
		case isHeader:
			d.Header[member] = sc.evilOr(value)
		case value == "":
			delete(d.Claims, name)
		default:
			d.Claims[name] = sc.claimValue(value)
		}
	}
	return d.Sign()
}

// assertBy has somebody else sign: a stranger, or one who takes the public key for a secret.
func (sc *script) assertBy(d *servertest.Draft, who string) string {
	if who == "stranger" {
		d.Key.Private = sc.stranger().Private
		return d.Sign()
	}
	secret, known := macKeys(sc, d.Key)[who]
	if !known {
		sc.Fatalf("there is no signer %s", who)
	}
	d.Header["alg"] = "HS256"
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, d.Claims)
	token.Header = d.Header
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
