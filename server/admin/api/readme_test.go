package api_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"signet/server/admin/api"
)

// TestReadme: README.md has every verb with its scope, and none that is not there.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	page := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([A-Z]+) \\| `([^`]+)` \\| `?([a-z:]+)`? \\|").FindAllStringSubmatch(string(data), -1) {
		page[row[1]+" "+row[2]] = row[3]
	}
	for _, verb := range api.Verbs {
		name, scope := verb.Method+" "+verb.Path, verb.Scope
		if scope == "" {
			scope = "any"
		}
		if got, ok := page[name]; !ok || got != scope {
			t.Errorf("%s: the page has the scope %q, want a row with %s", name, got, scope)
		}
		delete(page, name)
		if verb.Scope != "" && !strings.Contains(string(data), "\n| `"+verb.Scope+"` |") {
			t.Errorf("the page does not explain the scope %s", verb.Scope)
		}
	}
	for name := range page {
		t.Errorf("%s is on the page and is no verb", name)
	}
}
