package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readFile sets what the YAML document sets. It walks the document's nodes itself, because only
// there a value still has its line.
func (r *Reading) readFile(data []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := decoder.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			r.rejectSyntax(err)
		}
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		r.reject(r.name, "", "has more than one YAML document; keep one and remove the --- line")
	}
	r.readMapping("", doc.Content[0])
}

func (r *Reading) rejectSyntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	r.reject(r.name, "", "is not YAML: "+text)
	r.Broken = true
}

// readMapping reads the keys under prefix, which is empty or ends in a dot.
func (r *Reading) readMapping(prefix string, node *yaml.Node) {
	if node = follow(node); isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		r.reject(r.line(node.Line), strings.TrimSuffix(prefix, "."), "must have keys below it, one a line, like `key: value`")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := follow(node.Content[i]), node.Content[i+1]
		path := prefix + key.Value
		if first, twice := seen[path]; twice {
			r.reject(r.line(key.Line), path, fmt.Sprintf("is given twice, first in line %d; remove one", first))
			continue
		}
		seen[path] = key.Line
		if section, rest, dotted := strings.Cut(key.Value, "."); dotted {
			r.reject(r.line(key.Line), path, fmt.Sprintf("unknown key; write `%s:` and `%s:` indented below it", section, rest))
			continue
		}
		r.readKey(path, key.Line, value)
	}
}

func (r *Reading) readKey(path string, line int, value *yaml.Node) {
	if f, ok := r.field(path); ok {
		r.Sources[path] = r.line(line)
		if err := setNode(f, follow(value)); err != nil {
			r.reject(r.line(line), path, err.Error())
		}
		return
	}
	if r.isSection(path) {
		r.readMapping(path+".", value)
		return
	}
	r.reject(r.line(line), path, "unknown key; "+r.suggestKey(path))
}

// setNode gives f the value of a node. A key with nothing after it keeps its default.
func setNode(f Field, node *yaml.Node) error {
	switch {
	case isNull(node):
		return nil
	case f.isList():
		return setSequence(f, node)
	case node.Kind != yaml.ScalarNode:
		return errors.New("takes one value")
	default:
		return f.set(node.Value)
	}
}

func setSequence(f Field, node *yaml.Node) error {
	if node.Kind != yaml.SequenceNode {
		return errors.New("takes a list; write it like [a, b]")
	}
	elems := make([]string, 0, len(node.Content))
	for _, elem := range node.Content {
		if elem = follow(elem); elem.Kind != yaml.ScalarNode || isNull(elem) {
			return errors.New("takes a list of plain values; write it like [a, b]")
		}
		elems = append(elems, elem.Value)
	}
	return f.setList(elems)
}

// follow returns what an alias stands for. An alias of an alias cannot be written in YAML.
func follow(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func (r *Reading) suggestKey(path string) string {
	var known []string
	for _, f := range r.fields {
		known = append(known, f.Path)
		if section, _, found := strings.Cut(f.Path, "."); found {
			known = append(known, section)
		}
	}
	if meant := Nearest(path, known); meant != "" {
		return "did you mean " + meant + "?"
	}
	return "remove it, or see deploy/signet.example.yaml for the keys there are"
}
