package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signet/keys"
	"signet/store"
)

// TestEveryEventTypeIsListed: what the server records can be asked for by its type.
func TestEveryEventTypeIsListed(t *testing.T) {
	listed := func(name string) bool {
		return slices.ContainsFunc(store.EventTypes, func(e store.EventType) bool { return e.Name == name })
	}
	for _, v := range adminVerbs {
		if v.Method != "GET" && !listed(deedType(v.Name)) {
			t.Errorf("%s, which is recorded when its outcome is unknown, is not in store.EventTypes", v.Name)
		}
	}
	for _, step := range []keys.Step{keys.StepCreated, keys.StepScheduled, keys.StepActivated, keys.StepRetired, keys.StepRemoved, keys.StepRevoked,
		keys.StepLeaving, keys.StepKept, keys.StepRewrapped, keys.StepUnreadable, keys.StepReadable, keys.StepRestored,
		keys.StepClockOff, keys.StepClockRight, keys.StepClockDisputed, keys.StepClockAgreed} {
		if !listed(store.EventKeyPrefix + string(step)) {
			t.Errorf("%s%s is not in store.EventTypes", store.EventKeyPrefix, step)
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if name, isIdent := typeName(lit); !ok || !isIdent || name != "event" {
				return true
			}
			for _, element := range lit.Elts {
				pair, _ := element.(*ast.KeyValueExpr)
				if pair == nil {
					continue
				}
				key, _ := pair.Key.(*ast.Ident)
				value, isText := pair.Value.(*ast.BasicLit)
				if key == nil || key.Name != "Type" || !isText {
					continue
				}
				if typ, _ := strconv.Unquote(value.Value); !listed(typ) {
					t.Errorf("%s records %q, which is not in store.EventTypes", file.Name(), typ)
				}
			}
			return true
		})
	}
}

func typeName(lit *ast.CompositeLit) (string, bool) {
	if lit == nil {
		return "", false
	}
	ident, ok := lit.Type.(*ast.Ident)
	if !ok {
		return "", false
	}
	return ident.Name, true
}
