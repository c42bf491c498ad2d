package clientfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
	"signet/server/admin/clientspec"
)

const head = "# The clients of a server, by `signet client export`. `signet apply -f` reads this file. It has no secrets:\n" +
	"# one that is to be set from here is named by secret: {file: PATH}, {env: NAME}, {generate: PATH} or generate.\n"

// Write writes clients as a file that Parse reads, in YAML or, with -o json, in JSON, which is YAML too. Members with the
// default of a new client are left out.
func Write(app *cli.App, clients []api.Client) error {
	doc, err := document(clients)
	if err != nil {
		return err
	}
	if app.JSON() {
		var value any
		if err := doc.Decode(&value); err != nil {
			return fmt.Errorf("writing the clients: %w", err)
		}
		return app.PrintJSON(value)
	}
	text := bytes.NewBufferString(head) // as a whole, so that an error leaves no half
	encoder := yaml.NewEncoder(text)
	encoder.SetIndent(2)
	if err := encoder.Encode(doc); err != nil {
		return fmt.Errorf("writing the clients: %w", err)
	}
	if _, err := app.Out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

func document(clients []api.Client) (*yaml.Node, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	if len(clients) == 0 {
		list.Style = yaml.FlowStyle
	}
	for _, c := range clients {
		node, err := clientNode(c)
		if err != nil {
			return nil, fmt.Errorf("client %q: %w", c.ID, err)
		}
		list.Content = append(list.Content, node)
	}
	return mappingNode("clients", list), nil
}

// clientNode returns a client in the order of api.ClientSpec.
func clientNode(c api.Client) (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	defaults := api.ClientSpec{ID: c.ID, Public: c.Public, JWKS: c.JWKS}
	clientspec.SetDefaults(&defaults)
	has, usual := reflect.ValueOf(c.ClientSpec), reflect.ValueOf(defaults)
	for i := range has.NumField() {
		name, value := memberName(has.Type().Field(i)), has.Field(i).Interface()
		if name != memberClientID && isUsual(name, value, usual.Field(i).Interface()) {
			continue
		}
		member, err := valueNode(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		node.Content = append(node.Content, textNode(name), member)
	}
	if c.Disabled {
		node.Content = append(node.Content, mappingNode(memberDisabled, boolNode(true)).Content...)
	}
	return node, nil
}

// isUsual reports whether a member need not be written.
func isUsual(name string, value, usual any) bool {
	switch value := value.(type) {
	case []string:
		return slices.Equal(value, usual.([]string))
	case json.RawMessage:
		return len(value) == 0 || string(value) == "null"
	case bool:
		return !value
	}
	return name != memberClientID && value == ""
}

func valueNode(value any) (*yaml.Node, error) {
	switch value := value.(type) {
	case []string:
		list := &yaml.Node{Kind: yaml.SequenceNode} // a line each, for the differences of version control
		for _, entry := range value {
			list.Content = append(list.Content, textNode(entry))
		}
		return list, nil
	case string:
		return textNode(value), nil
	case bool:
		return boolNode(value), nil
	case json.RawMessage:
		var doc yaml.Node
		if err := yaml.Unmarshal(value, &doc); err != nil || len(doc.Content) != 1 {
			return nil, fmt.Errorf("reading the keys: %w", err)
		}
		blockStyle(doc.Content[0])
		return doc.Content[0], nil
	}
	return nil, fmt.Errorf("there is no way to write a %T", value)
}

// blockStyle has JSON written in lines.
func blockStyle(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		blockStyle(child)
	}
}

func mappingNode(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{textNode(key), value}}
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func boolNode(value bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(value)}
}
