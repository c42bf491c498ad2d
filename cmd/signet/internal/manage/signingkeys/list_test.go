package signingkeys

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

func TestKeysListSaysWhoHasThem(t *testing.T) {
	now := time.Date(2026, 11, 5, 9, 30, 0, 0, time.UTC)
	k := api.KeyList{Version: 3, Keys: []api.Key{{KID: "kid", Alg: "ES256", State: "active", Since: now.Add(-49 * time.Hour)}},
		Replicas: []api.Replica{{Replica: "one", KeyringVersion: 3, At: now}, {Replica: "two", KeyringVersion: 2, At: now}, {Replica: "three", KeyringVersion: 4, At: now}}}
	var out bytes.Buffer
	app := &cli.App{Out: &out}
	if err := app.Print(k, func(w io.Writer) { writeKeys(w, k, now) }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"active  2d ", "This is version 3 of the keyring; 2 of 3 replicas have it.", "version 2, behind"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}
