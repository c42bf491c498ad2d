package archive

import (
	"encoding/json"
	"strings"
	"testing"

	"signet/store"
)

// A line of any length is read, also where the JSON decoder's buffer ends between the value and its newline. The
// lengths pass the first boundaries of that buffer.
func TestLinesOfEveryLength(t *testing.T) {
	most := 4000
	if testing.Short() {
		most = 1600 // past the first boundary
	}
	for n := range most {
		user := store.User{ID: store.UserID{1}, Username: "ada", CreatedAt: day, UpdatedAt: day,
			Claims: map[string]json.RawMessage{"text": json.RawMessage(`"` + strings.Repeat("x", n) + `"`)}}
		_, records, err := readArchive(writeArchive(t, manifest, []store.Record{{User: &user}, {User: &user}, {User: &user}}))
		if err != nil || len(records) != 3 {
			t.Fatalf("records with %d more bytes: %d are read, and then %v", n, len(records), err)
		}
		f := manifest
		f.Keyring = make([]byte, n+1)
		if _, _, err := readArchive(writeArchive(t, f, nil)); err != nil {
			t.Fatalf("a keyring of %d bytes: %v", n+1, err)
		}
	}
}
