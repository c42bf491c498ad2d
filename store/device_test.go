package store_test

import (
	"encoding/json"
	"testing"

	"signet/store"
)

func TestDevice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ browser, system, wantBrowser, wantSystem, text string }{
		{"Firefox", "Windows", "Firefox", "Windows", `"Firefox/Windows"`},
		{"Samsung Internet", "Android", "Samsung Internet", "Android", `"Samsung Internet/Android"`},
		{"Chrome", "", "Chrome", "", `"Chrome/"`},
		{"", "macOS", "", "macOS", `"/macOS"`},
		{"Lynx", "Plan 9", "", "", `"/"`},
	} {
		d := store.NewDevice(c.browser, c.system)
		text, err := json.Marshal(d)
		if err != nil || d.Browser() != c.wantBrowser || d.System() != c.wantSystem || string(text) != c.text {
			t.Errorf("%s on %s: got %s on %s, %s, %v", c.browser, c.system, d.Browser(), d.System(), text, err)
		}
		var again store.Device
		if err := json.Unmarshal(text, &again); err != nil || again != d {
			t.Errorf("%s: got %v, %v", text, again, err)
		}
	}
	later := store.Device(0xff) // of a later version
	if later.Browser() != "" || later.System() != "" {
		t.Errorf("got %s on %s", later.Browser(), later.System())
	}
	if err := new(store.Device).UnmarshalText([]byte("Firefox")); err == nil {
		t.Error("a text without a slash is a device")
	}
}
