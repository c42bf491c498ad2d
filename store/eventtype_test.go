package store_test

import (
	"slices"
	"strings"
	"testing"

	"signet/store"
)

func TestEventTypes(t *testing.T) {
	if !slices.IsSortedFunc(store.EventTypes, func(a, b store.EventType) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the types are not sorted")
	}
	for i, e := range store.EventTypes {
		if e.Meaning == "" || !slices.Contains(store.EventClasses, e.Class) || i > 0 && store.EventTypes[i-1].Name == e.Name {
			t.Errorf("%+v", e)
		}
	}
	for name, want := range map[string]string{
		"refresh": "refresh refresh_late refresh_reuse", "refresh_reuse": "refresh_reuse", "keys.r": "", "user.set_password": "user.set_password",
		"revoke": "revoke", "log": "", "": "", "refresh_": "", "nonsense": "",
	} {
		if got := strings.Join(store.RelatedEventTypes(name), " "); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		typ, outcome string
		want         store.EventClass
	}{
		{"login", "ok", store.ClassSessions}, {"login", "refused", store.ClassRefusals}, {"login", "throttled", store.ClassRefusals},
		{"login", "unknown", store.ClassRefusals}, {"login", "more", store.ClassRefusals},
		{"refresh", "healed", store.ClassSessions}, {"refresh", "revoked", store.ClassSessions}, {"refresh", "gone", store.ClassRefusals},
		{"refresh", "refused", store.ClassRefusals}, {"refresh", "unknown", store.ClassRefusals},
		{"refresh_reuse", "reuse", store.ClassSessions}, {"refresh_late", "late", store.ClassSessions},
		{"revoke", "ok", store.ClassOwn}, {"revoke", "refused", store.ClassRefusals}, {"revoke", "unknown", store.ClassOwn},
		{"session.revoke", "ok", store.ClassAdmin}, {"user.disable", "unknown", store.ClassAdmin}, {"backup", "ok", store.ClassAdmin},
		{"key.revoked", "ok", store.ClassKeys}, {"keys.revoke", "ok", store.ClassKeys}, {"key.invented_later", "ok", store.ClassKeys},
		{"client_auth", "refused", store.ClassRefusals}, {"invented_later", "ok", store.ClassAdmin}, {"invented_later", "refused", store.ClassRefusals},
	} {
		if got := store.ClassOf(store.Event{Type: c.typ, Outcome: c.outcome}); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.typ, c.outcome, got, c.want)
		}
	}
}
