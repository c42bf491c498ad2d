package apply

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"signet/cmd/signet/internal/clientfile"
	"signet/server/admin/api"
	"signet/server/admin/clientspec"
)

// What happens to a client.
const (
	create = "create"
	update = "update"
	remove = "delete"
)

// change is what happens to one client.
type change struct {
	ClientID string       `json:"client_id"`
	Action   string       `json:"action"`
	Members  []difference `json:"members,omitempty"`
	Secret   string       `json:"secret,omitempty"` // what happens to its secret, in words
	Result   string       `json:"result,omitempty"` // of a change that was made, or tried
	Made     string       `json:"client_secret,omitempty"`
	Warnings []string     `json:"warnings,omitempty"`

	shown int // how many of the warnings are about the plan; the rest came with the change

	before *api.Client        // nil: it is created
	after  *clientfile.Client // nil: it is deleted
	secret string             // that it gets; "" with newSecret: one that is made
	isNew  bool               // it gets a secret
}

// difference is a member that has another value.
type difference struct {
	Member string `json:"member"`
	From   any    `json:"from"`
	To     any    `json:"to"`
}

// memberDisabled is the member of api.Client that is no part of its spec.
const memberDisabled = "disabled"

// plan is what is to be done, clients to create and to change first.
type plan struct {
	Changes []change `json:"changes"`
	Create  int      `json:"create"`
	Update  int      `json:"update"`
	Delete  int      `json:"delete"`
	Name    string   `json:"plan,omitempty"` // changes with the plan and with what it is made from; see --expect
}

// newPlan compares what the files want with what the server has. readSecret reads the secret of a source; "" is one that
// is still to be made. With prune what is in no file is deleted. Errors join all problems.
func newPlan(wanted []clientfile.Client, has []api.Client, prune bool, readSecret func(*clientfile.SecretSource) (string, error)) (*plan, error) {
	existing := make(map[string]*api.Client, len(has))
	for i := range has {
		existing[has[i].ID] = &has[i]
	}
	p := &plan{Changes: []change{}}
	var problems []error
	owners := map[string]string{} // of secrets
	for i := range wanted {
		want := &wanted[i]
		c := change{ClientID: want.ID, before: existing[want.ID], after: want}
		delete(existing, want.ID)
		err := c.compare()
		if err == nil {
			err = c.compareSecret(readSecret, owners)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: client %q: %w", want.Place, want.ID, err))
		}
		if c.before == nil || len(c.Members) > 0 || c.isNew {
			p.add(c)
		}
	}
	if prune {
		if len(wanted) == 0 && len(has) > 0 {
			problems = append(problems, fmt.Errorf("the files have no client at all, and --prune would delete all of the server (%d); name the files that have them, or use `signet client delete`", len(has)))
		}
		for id, client := range existing {
			p.add(change{ClientID: id, Action: remove, before: client})
		}
	}
	slices.SortFunc(p.Changes, func(a, b change) int {
		return cmp.Or(compareBool(a.Action == remove, b.Action == remove), strings.Compare(a.ClientID, b.ClientID))
	})
	p.Name = p.name()
	return p, errors.Join(problems...)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (p *plan) add(c change) {
	switch {
	case c.before == nil:
		c.Action = create
		p.Create++
	case c.after == nil:
		p.Delete++
	default:
		c.Action = update
		p.Update++
	}
	if c.after != nil {
		c.Warnings, c.shown = slices.Clone(c.after.Warnings), len(c.after.Warnings)
	}
	p.Changes = append(p.Changes, c)
}

// compare finds the members that differ.
func (c *change) compare() error {
	before := api.ClientSpec{ID: c.after.ID, Public: c.after.Public}
	disabled := false
	if c.before != nil {
		before, disabled = c.before.ClientSpec, c.before.Disabled
		if before.Public != c.after.Public {
			return errors.New("public cannot be changed; register it under another client_id, or delete it first")
		}
	}
	was, want := reflect.ValueOf(before), reflect.ValueOf(c.after.ClientSpec)
	for i := range want.NumField() {
		name, _, _ := strings.Cut(want.Type().Field(i).Tag.Get("json"), ",")
		if from, to := value(was.Field(i)), value(want.Field(i)); !reflect.DeepEqual(from, to) {
			c.Members = append(c.Members, difference{name, from, to})
		}
	}
	if c.after.Disabled != nil && *c.after.Disabled != disabled {
		c.Members = append(c.Members, difference{memberDisabled, disabled, *c.after.Disabled})
	}
	return nil
}

// value returns a member so that equal ones are equal in depth: no list and no keys are the same as empty ones.
func value(v reflect.Value) any {
	switch v := v.Interface().(type) {
	case []string:
		return append([]string{}, v...)
	case json.RawMessage:
		var set any
		_ = json.Unmarshal(v, &set) // the server and package clientfile made it from a set
		return set
	default:
		return v
	}
}

// compareSecret decides whether the client gets a secret. owners has the clients whose secrets were seen, by the secret.
func (c *change) compareSecret(read func(*clientfile.SecretSource) (string, error), owners map[string]string) error {
	source := c.after.Secret
	if source == nil {
		if c.before == nil && clientspec.HasSecret(c.after.AuthMethods) {
			return errors.New("secret is missing: a new client with a secret needs secret: {file: PATH}, {env: NAME}, {generate: PATH} or generate")
		}
		return nil
	}
	secret, err := read(source)
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	switch {
	case secret == "":
		c.isNew = c.before == nil || len(c.before.Secrets) == 0
		c.Secret = "a new one, " + source.String()
	case owners[secret] != "":
		return fmt.Errorf("secret: it is that of the client %q too; each client has its own", owners[secret])
	default:
		owners[secret] = c.after.ID
		c.secret, c.isNew = secret, c.before == nil || !hasSecret(*c.before, secret)
		c.Secret = "the one " + source.String()
	}
	if !c.isNew {
		c.Secret = ""
	} else if c.before != nil && len(c.before.Secrets) > 0 {
		c.Secret += "; the one before stays valid"
	}
	return nil
}

// hasSecret reports whether the secret is one of the client's, by its fingerprint.
func hasSecret(c api.Client, secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	digest := hex.EncodeToString(sum[:])
	return slices.ContainsFunc(c.Secrets, func(s api.SecretRecord) bool { return s.Fingerprint != "" && strings.HasPrefix(digest, s.Fingerprint) })
}

// name returns a short name for the plan, which another plan and the same plan from another state do not have.
func (p *plan) name() string {
	if len(p.Changes) == 0 {
		return ""
	}
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for _, c := range p.Changes {
		revision := ""
		if c.before != nil {
			revision = c.before.Revision
		}
		secret := sha256.Sum256([]byte(c.secret))
		_ = encoder.Encode([]any{c.ClientID, c.Action, c.Members, c.Secret, revision, secret[:]}) // a hash takes all that JSON can have
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}
