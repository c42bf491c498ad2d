package server_test

import (
	"strings"
	"time"
)

// addRobot registers the client "robot", which has a key of its own.
func (sc *script) addRobot(string, []scriptLine) {
	if sc.shared {
		sc.fatalf("this changes the server of other sections; begin with: server")
	}
	sc.robot = newAppKey(sc.t, "ES256")
	addRobot(sc.t, sc.stage.Server, sc.robot.jwk(`"kid":"one"`))
}

// assertion is a client assertion of robot's: {assertion}, a good one; {assertion aud token-endpoint},
// with another claim; {assertion by stranger}, {assertion alg none}.
func (sc *script) assertion(args []string) string {
	d := sc.robot.draft(sc.stage.Server, robot)
	switch {
	case len(args) == 0:
	case args[0] == "by":
		d.key = newAppKey(sc.t, "ES256")
	case args[0] == "alg":
		d.header["alg"] = args[1]
		return segment(d.header) + "." + strings.Split(d.sign(), ".")[1] + "."
	case args[0] == "typ":
		d.header["typ"] = args[1]
	default:
		d.claims[args[0]] = sc.claimValue(args[1])
	}
	return d.sign()
}

func (sc *script) claimValue(name string) any {
	issuer, now := sc.stage.URL, sc.stage.Clock.Now()
	switch name {
	case "token-endpoint":
		return issuer + "/token"
	case "issuer-in-a-list":
		return []string{issuer}
	case "past":
		return now.Add(-time.Minute).Unix()
	case "tomorrow":
		return now.Add(24 * time.Hour).Unix()
	}
	return name
}
