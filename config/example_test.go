package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/config/duration"
	"signet/config/reader"
)

var update = flag.Bool("update", false, "rewrite deploy/signet.example.yaml")

const examplePath = "../deploy/signet.example.yaml"

const exampleHead = `# Every key of signet.yaml, with its default. Only issuer has none.
# Each can be set by an environment variable instead: refresh.grace is SIGNET_REFRESH_GRACE.
# Check a file with: signet config check --config FILE
`

// TestExample holds the example file to the comments and defaults of Config. Run with -update after
// changing one of them.
func TestExample(t *testing.T) {
	c := Default()
	c.Issuer = "https://auth.example.com"
	var b strings.Builder
	b.WriteString(exampleHead)
	writeExample(&b, parseComments(t), reflect.ValueOf(c), "")
	if *update {
		if err := os.WriteFile(examplePath, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != b.String() {
		t.Errorf("%s is not what config.go says; run go test ./config -update", examplePath)
	}
}

func TestExampleEqualsDefaults(t *testing.T) {
	got, warnings, err := Load(examplePath, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("got %v, %v", warnings, err)
	}
	want := Default()
	want.Issuer = "https://auth.example.com"
	want.resolve(filepath.Dir(mustAbs(t, examplePath)))
	for i, f := range reader.Fields(&want) {
		g := reader.Fields(&got)[i]
		if show(g.Value) != show(f.Value) {
			t.Errorf("%s: got %s, want %s", f.Path, show(g.Value), show(f.Value))
		}
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// parseComments maps "Config.Issuer" and "TLS" to what is written above them.
func parseComments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		spec := gen.Specs[0].(*ast.TypeSpec)
		comments[spec.Name.Name] = gen.Doc.Text()
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			comments[spec.Name.Name+"."+f.Names[0].Name] = f.Doc.Text()
		}
	}
	return comments
}

func writeExample(b *strings.Builder, comments map[string]string, v reflect.Value, indent string) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name := v.Type().Name() + "." + sf.Name
		if sf.Type.Kind() == reflect.Struct {
			name = sf.Type.Name()
		}
		if i > 0 || indent == "" {
			b.WriteString("\n")
		}
		for line := range strings.Lines(comments[name]) {
			b.WriteString(strings.TrimRight(indent+"# "+line, " \n") + "\n")
		}
		if sf.Type.Kind() == reflect.Struct {
			fmt.Fprintf(b, "%s%s:\n", indent, sf.Tag.Get("yaml"))
			writeExample(b, comments, v.Field(i), indent+"  ")
			continue
		}
		fmt.Fprintf(b, "%s%s: %s\n", indent, sf.Tag.Get("yaml"), show(v.Field(i)))
	}
}

// show spells a value as YAML.
func show(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return duration.Format(x)
	case []string:
		return "[" + strings.Join(x, ", ") + "]"
	case []netip.Prefix:
		list := make([]string, len(x))
		for i, p := range x {
			list[i] = p.String()
		}
		return "[" + strings.Join(list, ", ") + "]"
	case string:
		if x == "" {
			return strconv.Quote(x)
		}
	}
	return fmt.Sprint(v.Interface())
}

func TestEveryFieldIsDocumented(t *testing.T) {
	comments := parseComments(t)
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		for sf := range typ.Fields() {
			if sf.Tag.Get("yaml") == "" {
				t.Errorf("%s.%s has no yaml name", typ.Name(), sf.Name)
			}
			if sf.Type.Kind() == reflect.Struct {
				walk(sf.Type)
			} else if comments[typ.Name()+"."+sf.Name] == "" {
				t.Errorf("%s.%s has no comment", typ.Name(), sf.Name)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}
