package userimport_test

import (
	"os"
	"strings"
	"testing"

	"signet/cmd/signet/internal/usertable"
	"signet/server/password/hash"
)

// TestPageHasNames: errors lead to the page for the names of schemes.
func TestPageHasNames(t *testing.T) {
	page, err := os.ReadFile("../../../../../deploy/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(hash.Schemes(), usertable.Formats()...) {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("deploy/migration.md does not name %s", name)
		}
	}
}
