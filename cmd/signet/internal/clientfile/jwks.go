package clientfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"signet/keys/jose"
)

// keys reads a JWK Set: as the value itself, or {file: PATH} with what `signet client create --jwks` takes.
func (p *parser) keys(line int, node *yaml.Node) json.RawMessage {
	if node = follow(node); isNull(node) {
		return json.RawMessage("null")
	}
	if path, ok := p.fileNamed(node); ok {
		set, err := readKeys(path)
		if err != nil {
			p.reject(line, "jwks: %s: %s", path, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		return set
	}
	budget := maxNodes
	value, err := plain(node, &budget)
	if err != nil {
		p.reject(line, "jwks: %s", err)
		return nil
	}
	data, err := json.Marshal(value)
	if err != nil {
		p.reject(line, "jwks: must be a JWK Set, {keys: […]}, or {file: PATH}")
	}
	return data
}

// fileNamed returns the path of a node {file: PATH}.
func (p *parser) fileNamed(node *yaml.Node) (path string, ok bool) {
	if node.Kind != yaml.MappingNode || len(node.Content) != 2 || node.Content[0].Value != "file" || !isText(node.Content[1]) {
		return "", false
	}
	return p.path(node.Content[1].Value), true
}

// path returns a path of the file for this process.
func (p *parser) path(named string) string {
	if filepath.IsAbs(named) {
		return named
	}
	return filepath.Join(filepath.Dir(p.name), named)
}

// maxNodes bounds the values in a JWK Set with its aliases written out. Ten keys of RSA have fewer than a hundred.
const maxNodes = 1000

// plain returns a node as a value for package json.
func plain(node *yaml.Node, budget *int) (any, error) {
	if *budget--; *budget < 0 {
		return nil, errors.New("its aliases lead to themselves, or to more than a key set has; write it out")
	}
	switch node = follow(node); node.Kind {
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, entry := range node.Content {
			value, err := plain(entry, budget)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		return plainObject(node, budget)
	case yaml.ScalarNode:
		return plainScalar(node)
	}
	return nil, errors.New("must be a JWK Set, {keys: […]}, or {file: PATH}")
}

func plainObject(node *yaml.Node, budget *int) (any, error) {
	object := make(map[string]any, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if _, twice := object[key.Value]; twice || !isText(key) {
			return nil, fmt.Errorf("line %d: a key must be plain text, and there once", key.Line)
		}
		value, err := plain(node.Content[i+1], budget)
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
	}
	return object, nil
}

func plainScalar(node *yaml.Node) (any, error) {
	switch node.Tag {
	case "!!str", "!!timestamp":
		return node.Value, nil
	case "!!bool", "!!int", "!!float", "!!null":
		var value any
		if err := node.Decode(&value); err != nil {
			return nil, fmt.Errorf("line %d: this value cannot be read", node.Line)
		}
		return value, nil
	}
	return nil, fmt.Errorf("line %d: a value must be text, a number, true or false", node.Line)
}

// readKeys reads public keys in any form that jose reads, as a JWK Set.
func readKeys(path string) (json.RawMessage, error) {
	data, err := readLimited(path)
	if err != nil {
		return nil, err
	}
	set, err := jose.ReadPublicSet(data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(set)
}
