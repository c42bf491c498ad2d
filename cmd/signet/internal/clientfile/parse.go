package clientfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"signet/config/reader"
	"signet/keys/jose"
	"signet/server/admin/api"
	"signet/server/admin/clientspec"
	"signet/store"
)

// Client is a client as a file has it.
type Client struct {
	api.ClientSpec               // with all defaults, spelled as the server spells it
	Disabled       *bool         // nil: as it is on the server
	Secret         *SecretSource // nil: as it is on the server
	Warnings       []string      // about a spec that is accepted
	Place          string        // file:line
}

// Members of a client that need more than their kind.
const (
	memberClientID = "client_id" // of the spec
	memberID       = "id"        // the same
	memberDisabled = "disabled"
	memberSecret   = "secret"
)

// Parse reads one file. name is its path: messages have it, and paths in the file are relative to its directory. An
// error joins all problems.
func Parse(name string, data []byte) ([]Client, error) {
	p := &parser{name: name}
	clients := p.document(data)
	if len(p.problems) > 0 {
		return nil, errors.Join(p.problems...)
	}
	return clients, nil
}

type parser struct {
	name     string
	client   string // the quoted id of the client that is read, or ""
	problems []error
}

// reject notes a problem. Its text never quotes a value, which may be a secret.
func (p *parser) reject(line int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if p.client != "" {
		text = "client " + p.client + ": " + text
	}
	p.problems = append(p.problems, fmt.Errorf("%s:%d: %s", p.name, line, text))
}

// yamlLine finds the line in an error of package yaml.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

func (p *parser) rejectSyntax(err error) {
	text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	place := p.name
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		place, text = p.name+":"+m[1], strings.TrimPrefix(text, m[0])
	}
	p.problems = append(p.problems, fmt.Errorf("%s: is not YAML: %s", place, text))
}

func (p *parser) document(data []byte) []Client {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || isNull(doc.Content[0])):
		p.problems = append(p.problems, fmt.Errorf("%s: is empty; remove the file, or write `clients: []`", p.name))
		return nil
	case err != nil:
		p.rejectSyntax(err)
		return nil
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		p.reject(max(second.Line, 1), "a second YAML document begins here; keep one in each file")
	case !errors.Is(err, io.EOF):
		p.rejectSyntax(err)
		return nil
	}
	return p.top(doc.Content[0])
}

// elsewhere has keys that are often looked for in a file of clients, and where they are.
var elsewhere = map[string]string{
	"audiences": "the audiences of a client are in its own entry; those of clients that have none are `audience` in signet.yaml",
	"audience":  "the audiences of a client are in its own entry; those of clients that have none are `audience` in signet.yaml",
	"policies":  "what a client may do is in its own entry; what holds for all is in signet.yaml, which `signet config check` reads",
	"users":     "`signet user import` takes users",
}

func (p *parser) top(node *yaml.Node) (clients []Client) {
	found := false
	p.mapping(node, "a file of clients is a mapping with the key clients", func(key string, line int, value *yaml.Node) {
		switch where := elsewhere[key]; {
		case key == "clients":
			found = true
			clients = p.clients(line, value)
		case where != "":
			p.reject(line, "%s: cannot be set here: %s", key, where)
		default:
			p.reject(line, "unknown key %s; the one key of a file is clients", quote(key))
		}
	})
	if !found && len(p.problems) == 0 {
		p.reject(node.Line, "the key clients is missing")
	}
	return clients
}

func (p *parser) clients(line int, node *yaml.Node) (list []Client) {
	if node = follow(node); node.Kind != yaml.SequenceNode {
		p.reject(line, "clients: must be a list, with a `- ` before each client; write [] if there is none")
		return nil
	}
	places := map[string]string{}
	for _, entry := range node.Content {
		c, ok := p.entry(follow(entry), max(entry.Line, 1))
		p.client = ""
		if !ok {
			continue
		}
		if first, twice := places[c.ID]; twice {
			p.problems = append(p.problems, twiceError(c, first))
			continue
		}
		places[c.ID] = c.Place
		list = append(list, c)
	}
	return list
}

func twiceError(c Client, first string) error {
	return fmt.Errorf("%s: client %s: is in %s already; remove one of the two", c.Place, quote(c.ID), first)
}

// entry reads one client. It reports whether the client can be used.
func (p *parser) entry(node *yaml.Node, line int) (Client, bool) {
	c := Client{Place: fmt.Sprintf("%s:%d", p.name, line)}
	before, ids := len(p.problems), 0
	if node.Kind == yaml.MappingNode {
		p.client = idOf(node)
	}
	fields := specFields(&c.ClientSpec)
	p.mapping(node, "a client is a mapping of members such as client_id and grants", func(key string, line int, value *yaml.Node) {
		field, isSpec := fields[key]
		switch {
		case key == memberID, key == memberClientID:
			ids++
			p.text(key, line, value, &c.ID)
		case key == memberDisabled:
			c.Disabled = new(bool)
			p.truth(key, line, value, c.Disabled)
		case key == memberSecret:
			c.Secret = p.secret(line, value)
		case isSpec:
			p.specMember(key, line, value, field.Addr().Interface())
		default:
			p.reject(line, "unknown member %s; %s", quote(key), suggest(key))
		}
	})
	switch {
	case len(p.problems) > before:
		return c, false
	case ids == 0:
		p.reject(line, "client_id is missing")
		return c, false
	case ids == 2:
		p.reject(line, "id is short for client_id; remove one of the two")
		return c, false
	}
	return c, p.check(&c, line)
}

// check completes the spec by the rules of the server. The server checks again what depends on its settings.
func (p *parser) check(c *Client, line int) bool {
	clientspec.SetDefaults(&c.ClientSpec)
	client := store.Client{ID: c.ID, Public: c.Public}
	widest := clientspec.Rules{Algorithms: jose.Algorithms, MaxTokenLife: math.MaxInt64 / time.Second * time.Second}
	warnings, err := clientspec.Apply(c.ClientSpec, &client, widest)
	if err == nil && c.Secret != nil && !clientspec.HasSecret(client.AuthMethods) {
		err = errors.New("secret: this client has none; it is public, or authenticates by a key")
	}
	if err != nil {
		p.reject(line, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		return false
	}
	c.ClientSpec, c.Warnings = clientspec.Of(client), warnings
	return true
}

// mapping calls each for each key of a mapping. what is for a node that is none.
func (p *parser) mapping(node *yaml.Node, what string, each func(key string, line int, value *yaml.Node)) {
	node = follow(node)
	if node.Kind != yaml.MappingNode {
		p.reject(max(node.Line, 1), "%s", what)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch first, twice := seen[key.Value]; {
		case key.Tag == "!!merge":
			p.reject(key.Line, "merge keys (<<) are not read; write the members out, so that a reviewer sees them")
		case !isText(key):
			p.reject(key.Line, "a key must be plain text")
		case twice:
			p.reject(key.Line, "%s: is given twice, first in line %d; remove one", short(key.Value), first)
		default:
			seen[key.Value] = key.Line
			each(key.Value, key.Line, value)
		}
	}
}

// specFields returns the members of the spec that can be set, by the names of their JSON.
func specFields(spec *api.ClientSpec) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	v := reflect.ValueOf(spec).Elem()
	for i := range v.NumField() {
		fields[memberName(v.Type().Field(i))] = v.Field(i)
	}
	return fields
}

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func (p *parser) specMember(key string, line int, node *yaml.Node, into any) {
	switch into := into.(type) {
	case *string:
		p.text(key, line, node, into)
	case *bool:
		p.truth(key, line, node, into)
	case *[]string:
		p.list(key, line, node, into)
	case *json.RawMessage:
		*into = p.keys(line, node)
	}
}

func (p *parser) text(key string, line int, node *yaml.Node, into *string) {
	if node = follow(node); !isText(node) {
		p.reject(line, "%s: must be text%s", key, hint(node))
		return
	}
	*into = node.Value
}

func (p *parser) truth(key string, line int, node *yaml.Node, into *bool) {
	if node = follow(node); node.Kind != yaml.ScalarNode || node.Tag != "!!bool" || node.Decode(into) != nil {
		p.reject(line, "%s: must be true or false%s", key, hint(node))
	}
}

func (p *parser) list(key string, line int, node *yaml.Node, into *[]string) {
	if node = follow(node); node.Kind != yaml.SequenceNode {
		p.reject(line, "%s: must be a list, such as [a, b]%s", key, hint(node))
		return
	}
	*into = make([]string, 0, len(node.Content))
	for _, entry := range node.Content {
		if entry = follow(entry); !isText(entry) {
			p.reject(max(entry.Line, 1), "%s: each entry must be text%s", key, hint(entry))
			return
		}
		*into = append(*into, entry.Value)
	}
}

// hint returns what to do about a value of the wrong kind.
func hint(node *yaml.Node) string {
	switch {
	case isNull(node):
		return "; nothing is there: remove the line if the default is meant"
	case node.Kind == yaml.ScalarNode:
		return "; quotes make text of a number or a word such as true"
	}
	return ""
}

// follow returns what an alias stands for. An alias of an alias cannot be written in YAML.
func follow(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }
func isText(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!str" }

// idOf returns the id of a client, quoted for messages, or "".
func idOf(node *yaml.Node) string {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i].Value; key == memberID || key == memberClientID {
			if id := follow(node.Content[i+1]); isText(id) {
				return quote(id.Value)
			}
		}
	}
	return ""
}

// suggest returns what to do about an unknown member.
func suggest(key string) string {
	if strings.Contains(key, memberSecret) {
		return "a secret is never written here: secret: {file: PATH}, {env: NAME}, {generate: PATH} or generate"
	}
	known := []string{memberID, memberDisabled, memberSecret}
	for name := range specFields(new(api.ClientSpec)) {
		known = append(known, name)
	}
	if meant := reader.Nearest(key, known); meant != "" {
		return "did you mean " + meant + "?"
	}
	return "`signet apply --schema` has those there are"
}

// short cuts a text for a message.
func short(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func quote(text string) string { return fmt.Sprintf("%q", short(text)) }
