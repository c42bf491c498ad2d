package server_test

import (
	"net/http"
	"strings"
	"testing"

	"signet/keys"
	"signet/server/servertest"
	"signet/store"
)

// sealRecords has the keyring note that the records are sealed, as `signet store seal` does.
func sealRecords(t *testing.T, m *keys.Manager) {
	t.Helper()
	if err := m.Edit().SealRecords(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestOldRecordOfAnAdminClient: who can write to the store puts the record of a client with rights over
// Signet back, as it was before a change, or after it was deleted. It is refused.
func TestOldRecordOfAnAdminClient(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	sealRecords(t, s.Keys)
	ask := func(method, path, body string, status int) {
		t.Helper()
		code := ""
		if status == http.StatusServiceUnavailable {
			code = "unavailable"
		}
		admin.CallJSON(t, method, path, body).Wants(status, code)
	}
	create := func(id string) {
		ask(http.MethodPost, "/v1/clients", `{"client_id":"`+id+`","grants":["client_credentials"],"scopes":["signet:users"]}`, http.StatusCreated)
	}
	create("ops")
	old, err := s.Store.Client(t.Context(), "ops")
	if err != nil {
		t.Fatal(err)
	}
	ask(http.MethodPatch, "/v1/clients/ops", `{"scopes":["orders:read"]}`, http.StatusOK)
	putBack := func() {
		t.Helper()
		if err := s.Store.DeleteClient(t.Context(), "ops", nil); err != nil && !strings.Contains(err.Error(), store.ErrNotFound.Error()) {
			t.Fatal(err)
		}
		if err := s.Store.CreateClient(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		ask(http.MethodGet, "/v1/clients/ops", "", http.StatusServiceUnavailable)
	}
	putBack()
	if err := s.Store.DeleteClient(t.Context(), "ops", nil); err != nil {
		t.Fatal(err)
	}
	create("ops") // a new one of that name counts
	ask(http.MethodGet, "/v1/clients/ops", "", http.StatusOK)
	ask(http.MethodDelete, "/v1/clients/ops", "", http.StatusNoContent)
	putBack()
}
