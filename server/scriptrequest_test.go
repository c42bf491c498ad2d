package server_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"signet/server/servertest"
)

// readRequest makes the request of a command such as
//
//	POST /token as web grant_type=password username=ada -H 'Origin: https://app.example.com'
//
// Parameters go into the body, which -d gives as a whole.
func (sc *script) readRequest(args []string) *servertest.Request {
	if len(args) < 2 {
		sc.Fatal("usage: METHOD PATH [as CLIENT] [NAME=VALUE…] [-H 'NAME: VALUE'…] [-d BODY]")
	}
	r := sc.stage.Server.Call(sc, args[0], args[1])
	r.Note = func(a servertest.Answer) { sc.checkAnswer(r, a) }
	sc.stage.store.begin()
	args = args[2:]
	var params []string
	if len(args) > 1 && args[0] == "as" {
		params, args = sc.identify(r, args[1]), args[2:]
	}
	body, given := "", false
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		switch {
		case word == "-d" && len(args) > 0:
			body, given = sc.value(args[0]), true
			args = args[1:]
		case word == "-H" && len(args) > 0:
			name, value, _ := strings.Cut(args[0], ":")
			r.Header.Add(name, strings.TrimPrefix(value, " "))
			args = args[1:]
		default:
			params = append(params, sc.param(word))
		}
	}
	if !given {
		body = strings.Join(params, "&")
	}
	if (given || body != "" || r.Method == http.MethodPost) && len(r.Header["Content-Type"]) == 0 {
		r.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.Header.Get("Content-Type") == "none" {
		r.Header.Del("Content-Type")
	}
	r.Body = body
	return r
}

// identify authenticates one of the test's clients: by its id, with its own secret, or by id:secret.
func (sc *script) identify(r *servertest.Request, who string) []string {
	id, secret, given := strings.Cut(who, ":")
	if id == robot {
		assertion := secret
		if !given {
			assertion = sc.assert(nil)
		}
		return []string{sc.param("client_assertion_type=" + servertest.JWTBearer), "client_assertion=" + url.QueryEscape(assertion)}
	}
	if given {
		r.Basic(id, secret)
		return nil
	}
	secret, confidential := map[string]string{servertest.Web: servertest.WebSecret, servertest.Other: servertest.OtherSecret,
		servertest.Service: servertest.ServiceSecret}[id]
	if !confidential {
		return []string{"client_id=" + id}
	}
	r.Basic(id, secret)
	return nil
}

func (sc *script) param(word string) string {
	name, value, _ := strings.Cut(word, "=")
	return url.QueryEscape(name) + "=" + url.QueryEscape(sc.value(value))
}

// value decodes what a script writes in double quotes, with Go's escapes.
func (sc *script) value(text string) string {
	if !strings.HasPrefix(text, `"`) {
		return text
	}
	plain, err := strconv.Unquote(text)
	if err != nil {
		sc.Fatalf("%s: %v", text, err)
	}
	return plain
}

func (sc *script) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		sc.Fatalf("%q is no number", text)
	}
	return n
}

// compute makes a command that sets the variable of its first argument.
func compute(f func(sc *script, args []string) string) func(*script, []string) {
	return func(sc *script, args []string) {
		if len(args) == 0 {
			sc.Fatal("usage: COMMAND VARIABLE ARGUMENTS…")
		}
		sc.ts.Setenv(args[0], f(sc, args[1:]))
	}
}

func repeatText(sc *script, args []string) string { return strings.Repeat(args[0], sc.number(args[1])) }
func upperText(_ *script, args []string) string   { return strings.ToUpper(args[0]) }
func encodeText(_ *script, args []string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Join(args, " ")))
}

// headOf and tailOf cut a text; a negative length counts from the other side.
func headOf(sc *script, args []string) string { return args[0][:cutLength(sc, args)] }
func tailOf(sc *script, args []string) string { return args[0][len(args[0])-cutLength(sc, args):] }

func cutLength(sc *script, args []string) int {
	n := sc.number(args[1])
	if n < 0 {
		n += len(args[0])
	}
	return n
}

// escapeText writes every byte as %XX.
func escapeText(_ *script, args []string) string {
	var b strings.Builder
	for i := range len(args[0]) {
		fmt.Fprintf(&b, "%%%02X", args[0][i])
	}
	return b.String()
}

func signerKID(sc *script, _ []string) string {
	_, kid := sc.signingKey()
	return kid
}
