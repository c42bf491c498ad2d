package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signet/keys"
	"signet/keys/rotation"
	"signet/store"
)

// TestEveryEventTypeIsListed: what the server records can be asked for by its type.
func TestEveryEventTypeIsListed(t *testing.T) {
	t.Parallel()
	listed := func(name string) bool {
		return slices.ContainsFunc(store.EventTypes, func(e store.EventType) bool { return e.Name == name })
	}
	for _, step := range []rotation.Step{rotation.StepCreated, rotation.StepScheduled, rotation.StepActivated, rotation.StepRetired, rotation.StepRemoved, rotation.StepRevoked,
		rotation.StepLeaving, rotation.StepKept, rotation.StepRewrapped, keys.StepUnreadable, keys.StepReadable, keys.StepRestored,
		keys.StepClockOff, keys.StepClockRight, keys.StepClockDisputed, keys.StepClockAgreed} {
		if !listed(store.EventKeyPrefix + string(step)) {
			t.Errorf("%s%s is not in store.EventTypes", store.EventKeyPrefix, step)
		}
	}
	seen := 0
	err := filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || !isEvent(lit) {
				return true
			}
			seen++
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
					t.Errorf("%s records %q, which is not in store.EventTypes", file, typ)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 20 {
		t.Errorf("found %d events in the source: %v", seen, err)
	}
}

func isEvent(lit *ast.CompositeLit) bool {
	typ, ok := lit.Type.(*ast.SelectorExpr)
	if !ok || typ.Sel.Name != "Event" {
		return false
	}
	pkg, ok := typ.X.(*ast.Ident)
	return ok && pkg.Name == "store"
}
