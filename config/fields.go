package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// readFile sets what the YAML document sets. It walks the document's nodes itself, because only
// there a value still has its line.
func (l *loader) readFile(data []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := decoder.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			l.rejectSyntax(err)
		}
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.reject(l.name, "", "has more than one YAML document; keep one and remove the --- line")
	}
	l.readMapping("", doc.Content[0])
}

func (l *loader) rejectSyntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	l.reject(l.name, "", "is not YAML: "+text)
	l.broken = true
}

// readMapping reads the keys under prefix, which is empty or ends in a dot.
func (l *loader) readMapping(prefix string, node *yaml.Node) {
	if node = follow(node); isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		l.reject(l.line(node.Line), strings.TrimSuffix(prefix, "."), "must have keys below it, one a line, like `key: value`")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := follow(node.Content[i]), node.Content[i+1]
		path := prefix + key.Value
		if first, twice := seen[path]; twice {
			l.reject(l.line(key.Line), path, fmt.Sprintf("is given twice, first in line %d; remove one", first))
			continue
		}
		seen[path] = key.Line
		if section, rest, dotted := strings.Cut(key.Value, "."); dotted {
			l.reject(l.line(key.Line), path, fmt.Sprintf("unknown key; write `%s:` and `%s:` indented below it", section, rest))
			continue
		}
		l.readKey(path, key.Line, value)
	}
}

func (l *loader) readKey(path string, line int, value *yaml.Node) {
	if f, ok := l.field(path); ok {
		l.sources[path] = l.line(line)
		if err := setNode(f, follow(value)); err != nil {
			l.reject(l.line(line), path, err.Error())
		}
		return
	}
	if l.isSection(path) {
		l.readMapping(path+".", value)
		return
	}
	l.reject(l.line(line), path, "unknown key; "+l.suggestKey(path))
}

// setNode gives f the value of a node. A key with nothing after it keeps its default.
func setNode(f field, node *yaml.Node) error {
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

func setSequence(f field, node *yaml.Node) error {
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

func (l *loader) field(path string) (field, bool) {
	for _, f := range l.fields {
		if f.path == path {
			return f, true
		}
	}
	return field{}, false
}

func (l *loader) isSection(path string) bool {
	for _, f := range l.fields {
		if strings.HasPrefix(f.path, path+".") {
			return true
		}
	}
	return false
}

func (l *loader) suggestKey(path string) string {
	var known []string
	for _, f := range l.fields {
		known = append(known, f.path)
		if section, _, found := strings.Cut(f.path, "."); found {
			known = append(known, section)
		}
	}
	if meant := nearest(path, known); meant != "" {
		return "did you mean " + meant + "?"
	}
	return "remove it, or see deploy/signet.example.yaml for the keys there are"
}

// field is one key that can be set, found in Config by reflection so that none can be forgotten.
type field struct {
	path  string // refresh.grace
	env   string // SIGNET_REFRESH_GRACE
	live  bool
	value reflect.Value
}

// fields returns every field of c in the order of the file.
func fields(c *Config) []field {
	return appendFields(nil, "", reflect.ValueOf(c).Elem())
}

func appendFields(list []field, prefix string, v reflect.Value) []field {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		path := prefix + sf.Tag.Get("yaml")
		if sf.Type.Kind() == reflect.Struct {
			list = appendFields(list, path+".", v.Field(i))
			continue
		}
		list = append(list, field{path: path, env: envName(path), live: sf.Tag.Get("live") == "true", value: v.Field(i)})
	}
	return list
}

func envName(path string) string {
	return "SIGNET_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

func (f field) isList() bool { return f.value.Kind() == reflect.Slice }

// set gives the field the value that one string spells.
func (f field) set(s string) error {
	switch p := f.value.Addr().Interface().(type) {
	case *string:
		*p = s
	case *bool:
		return setBool(p, s)
	case *time.Duration:
		return assign(p, s, ParseDuration)
	case *int, *uint8, *uint32:
		return f.setNumber(s)
	default:
		return fmt.Errorf("cannot be set from one value; give it a list")
	}
	return nil
}

// setList gives a list its elements.
func (f field) setList(elems []string) error {
	switch p := f.value.Addr().Interface().(type) {
	case *[]string:
		*p = elems
		return nil
	case *[]netip.Prefix:
		return setPrefixes(p, elems)
	default:
		return errors.New("takes one value, not a list")
	}
}

func assign[T any](p *T, s string, parse func(string) (T, error)) error {
	v, err := parse(s)
	if err == nil {
		*p = v
	}
	return err
}

// setBool accepts the words of YAML only, because some readers accept "1" and "yes" and others do not.
func setBool(p *bool, s string) error {
	switch s {
	case "true", "True", "TRUE":
		*p = true
	case "false", "False", "FALSE":
		*p = false
	default:
		return fmt.Errorf("%q is neither true nor false", s)
	}
	return nil
}

func (f field) setNumber(s string) error {
	if f.value.CanInt() {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		f.value.SetInt(n)
		return nil
	}
	n, err := strconv.ParseUint(s, 10, f.value.Type().Bits())
	if err != nil {
		return fmt.Errorf("%q is not a whole number from 0 to %d", s, uint64(1)<<f.value.Type().Bits()-1)
	}
	f.value.SetUint(n)
	return nil
}

func setPrefixes(p *[]netip.Prefix, elems []string) error {
	list := make([]netip.Prefix, 0, len(elems))
	for _, s := range elems {
		prefix, err := parsePrefix(s)
		if err != nil {
			return err
		}
		list = append(list, prefix)
	}
	*p = list
	return nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a CIDR range; write it like 10.0.0.0/8", s)
	}
	return prefix.Masked(), nil
}

const day = 24 * time.Hour

// ParseDuration reads what time.ParseDuration reads, without a sign, and days in front of it: 30d, 1d12h.
func ParseDuration(s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "", s
	}
	total := time.Duration(0)
	if found {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > uint64(math.MaxInt64/day) {
			return 0, errDuration(s)
		}
		total = time.Duration(n) * day
		if rest == "" {
			return total, nil
		}
	}
	part, err := time.ParseDuration(rest)
	if err != nil || strings.ContainsAny(rest, "-+") {
		return 0, errDuration(s)
	}
	if total += part; total < 0 {
		return 0, errDuration(s)
	}
	return total, nil
}

// durationShape is what a duration looks like, of whatever length.
var durationShape = regexp.MustCompile(`^(\d+d)?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))*$`)

func errDuration(s string) error {
	amount, negative := strings.CutPrefix(s, "-")
	switch shaped := amount != "" && durationShape.MatchString(amount); {
	case shaped && negative:
		return fmt.Errorf("%q is negative; write it like 30s, 5m, 12h or 30d", s)
	case shaped:
		return fmt.Errorf("%q is too long; a duration is at most %dd", s, math.MaxInt64/day)
	}
	return fmt.Errorf("%q is not a duration; write it like 30s, 5m, 12h or 30d", s)
}

// FormatDuration is the shortest spelling that ParseDuration reads back.
func FormatDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
