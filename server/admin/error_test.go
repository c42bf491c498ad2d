package admin

import (
	"net/http"
	"slices"
	"testing"

	"signet/server/admin/api"
	"signet/store"
)

// TestUnknownEventTypes: the type of the event for a change whose outcome is unknown is a listed one.
func TestUnknownEventTypes(t *testing.T) {
	for _, v := range api.Verbs {
		typ := unknownEventType("admin." + v.Name)
		if v.Method != http.MethodGet && !slices.ContainsFunc(store.EventTypes, func(e store.EventType) bool { return e.Name == typ }) {
			t.Errorf("%s: %s is not in store.EventTypes", v.Name, typ)
		}
	}
}
