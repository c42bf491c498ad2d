package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Source is a login system outside of Signet.
type Source interface {
	// Check asks whether the password is that of the user. The username is as it was typed, without white space at its
	// ends: the other system has its own rules for what is the same name. Of a user who is here and has typed an alias it is the
	// username. Both are UTF-8 without NUL and not empty.
	//
	// ErrUnavailable: there was no answer. ErrAnswer: there was one that cannot be used. After any error nothing is
	// known of the password.
	Check(ctx context.Context, username, password string) (Answer, error)
}

// Answer is what a Source has answered.
type Answer struct {
	Match    bool                       // the password is right; the rest but Reason is empty where it is not
	Reason   string                     // why not, for the operator; may be empty
	ID       json.RawMessage            // of the user in that system: a JSON string or whole number
	Claims   map[string]json.RawMessage // of the user, without the id
	Disabled bool                       // the password is right, and the user may not log in
}

var (
	// ErrUnavailable: the upstream gave no answer: it cannot be reached, was too slow, or is not asked at present.
	ErrUnavailable = errors.New("the upstream does not answer")
	// ErrAnswer: the upstream gave an answer that cannot be used.
	ErrAnswer = errors.New("the upstream gave an answer that cannot be used")
)

// BadAnswer returns an ErrAnswer with what is wrong with it. It must hold nothing of the answer's values.
func BadAnswer(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrAnswer, fmt.Sprintf(format, args...))
}

// NoAnswer returns an ErrUnavailable with its cause.
func NoAnswer(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// wholeNumber has as many digits as every reader of JSON keeps.
var wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,14})$`)

// maxID bounds the id of a user, in bytes as JSON.
const maxID = 256

// checkID returns what is wrong with the id of a user.
func checkID(id json.RawMessage) error {
	var text string
	switch {
	case len(id) == 0 || string(id) == "null":
		return BadAnswer("there is no id")
	case len(id) > maxID:
		return BadAnswer("the id is longer than %d bytes", maxID)
	case id[0] == '"':
		if json.Unmarshal(id, &text) != nil || strings.TrimSpace(text) == "" || strings.ContainsFunc(text, unicode.IsControl) {
			return BadAnswer("the id is empty or has control characters")
		}
	case !wholeNumber.Match(id):
		return BadAnswer("the id is neither a string nor a whole number of at most 15 digits")
	}
	return nil
}
