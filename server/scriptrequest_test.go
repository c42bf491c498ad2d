package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"signet/server/servertest"
)

// readRequest makes the request of a line such as
//
//	POST /token as web grant_type=password username=ada
//
// and of the lines below it that are indented: more parameters, headers ("Name: value"), or the body.
func (sc *script) readRequest(text string, more []scriptLine) *request {
	words := sc.words(text)
	r := call(sc.t, sc.stage.Server, words[0], sc.expand(words[1]))
	r.note = func(a answer) { sc.checkAnswer(r, a) }
	sc.stage.store.begin()
	words = words[2:]
	var params []string
	if len(words) > 1 && words[0] == "as" {
		params = sc.identify(r, sc.expand(words[1]))
		words = words[2:]
	}
	for _, word := range words {
		params = append(params, sc.param(word))
	}
	body, given := "", false
	for _, line := range more {
		switch name, value, isHeader := headerLine(line.text); {
		case isHeader && name == "body":
			body, given = sc.value(value), true
		case isHeader:
			r.header.Add(name, sc.value(value))
		default:
			for _, word := range sc.words(line.text) {
				params = append(params, sc.param(word))
			}
		}
	}
	if !given {
		body = strings.Join(params, "&")
	}
	if (given || body != "" || r.method == http.MethodPost) && len(r.header["Content-Type"]) == 0 {
		r.set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.header.Get("Content-Type") == "none" {
		r.header.Del("Content-Type")
	}
	r.body = body
	return r
}

var headerName = regexp.MustCompile(`^ +([A-Za-z][A-Za-z0-9-]*): ?(.*)$`)

func headerLine(text string) (name, value string, ok bool) {
	found := headerName.FindStringSubmatch(text)
	if found == nil {
		return "", "", false
	}
	return found[1], found[2], true
}

// identify says who asks: one of the test's clients by its id, or id:secret.
func (sc *script) identify(r *request, who string) []string {
	id, secret, given := strings.Cut(who, ":")
	if id == robot {
		assertion := secret
		if !given {
			assertion = sc.assert(nil)
		}
		return []string{sc.param("client_assertion_type=" + jwtBearer), "client_assertion=" + url.QueryEscape(assertion)}
	}
	if given {
		r.basic(id, secret)
		return nil
	}
	secret, confidential := map[string]string{servertest.Web: servertest.WebSecret, servertest.Other: servertest.OtherSecret,
		servertest.Service: servertest.ServiceSecret}[id]
	if !confidential {
		return []string{"client_id=" + id}
	}
	r.basic(id, secret)
	return nil
}

func (sc *script) param(word string) string {
	name, value, _ := strings.Cut(word, "=")
	return url.QueryEscape(sc.expand(name)) + "=" + url.QueryEscape(sc.value(value))
}

// value is what stands behind a = or a colon: in quotes with Go's escapes, or as it is; {…} is expanded.
func (sc *script) value(text string) string {
	if strings.HasPrefix(text, `"`) {
		plain, err := strconv.Unquote(text)
		if err != nil {
			sc.fatalf("%s: %v", text, err)
		}
		text = plain
	}
	return sc.expand(text)
}

// words splits at spaces that are in no "…" and no {…}.
func (sc *script) words(text string) (all []string) {
	var word strings.Builder
	quoted, depth := false, 0
	flush := func() {
		if word.Len() > 0 {
			all = append(all, word.String())
			word.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quoted:
			word.WriteByte(c)
			i++
			c = text[i]
		case c == '"':
			quoted = !quoted
		case c == '{' && !quoted:
			depth++
		case c == '}' && !quoted:
			depth--
		case c == ' ' && !quoted && depth == 0:
			flush()
			continue
		}
		word.WriteByte(c)
	}
	flush()
	return all
}

var braces = regexp.MustCompile(`\{[a-z][a-z0-9-]*( [^{}"]*)?\}`)

// expand puts in what {name} and {function arguments} stand for, the innermost first.
func (sc *script) expand(text string) string {
	for braces.MatchString(text) {
		text = sc.expandOnce(text)
	}
	return text
}

func (sc *script) expandOnce(text string) string {
	return braces.ReplaceAllStringFunc(text, func(found string) string {
		words := strings.Fields(found[1 : len(found)-1])
		if f := functions[words[0]]; f != nil {
			return f(sc, words[1:])
		}
		return sc.variable(words[0])
	})
}

func (sc *script) variable(name string) string {
	switch name {
	case "password":
		return servertest.Password
	case "web-secret":
		return servertest.WebSecret
	case "issuer":
		return sc.stage.URL
	case "sub":
		return sc.stage.UserID.String()
	case "kid":
		_, kid := sc.signingKey()
		return kid
	}
	value, known := sc.vars[name]
	if !known {
		sc.fatalf("nothing is kept as {%s}", name)
	}
	return value
}

// functions are what {…} can compute.
var functions = map[string]func(*script, []string) string{
	"repeat": func(sc *script, args []string) string { return strings.Repeat(args[0], sc.number(args[1])) },
	"upper":  func(sc *script, args []string) string { return strings.ToUpper(sc.variable(args[0])) },
	"head":   func(sc *script, args []string) string { return cutAt(sc, args, true) },
	"tail":   func(sc *script, args []string) string { return cutAt(sc, args, false) },
	"escape": func(sc *script, args []string) string { return escapeAll(sc.argument(args[0])) },
	"base64": func(sc *script, args []string) string { return base64Of(sc.argument(strings.Join(args, " "))) },
	"assert": func(sc *script, args []string) string { return sc.assert(args) },
	"forge":  func(sc *script, args []string) string { return sc.forge(args) },
}

// argument is a kept value where there is one of that name, else the text itself.
func (sc *script) argument(text string) string {
	if value, kept := sc.vars[text]; kept {
		return value
	}
	return text
}

func (sc *script) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		sc.fatalf("%q is no number", text)
	}
	return n
}

// cutAt is the beginning or the end of a kept value; a negative length counts from the other side.
func cutAt(sc *script, args []string, head bool) string {
	value, n := sc.variable(args[0]), sc.number(args[1])
	if n < 0 {
		n += len(value)
	}
	if head {
		return value[:n]
	}
	return value[len(value)-n:]
}

// escapeAll writes every byte as %XX.
func escapeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}
