package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// startAdmin serves an admin API on the socket until stop is called.
func startAdmin(socket string) (stop func(), err error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	f := &fakeAdmin{clients: map[string]clientRecord{}, users: map[string]userRecord{}}
	srv := &http.Server{Handler: f.routes()}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	return func() { srv.Close(); <-done }, nil
}

// fakeAdmin is as much of the admin API as the scripts need.
type fakeAdmin struct {
	mu      sync.Mutex // guards what follows
	clients map[string]clientRecord
	users   map[string]userRecord
	events  []eventRecord
}

type handler func(r *http.Request) (int, any)

func (f *fakeAdmin) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /v1/clients":                           f.listClients,
		"POST /v1/clients":                          f.createClient,
		"GET /v1/clients/{id}":                      f.changeClient(func(*clientRecord, *http.Request) {}),
		"PATCH /v1/clients/{id}":                    f.changeClient(func(c *clientRecord, r *http.Request) { _ = json.NewDecoder(r.Body).Decode(c) }),
		"POST /v1/clients/{id}/disable":             f.changeClient(func(c *clientRecord, _ *http.Request) { c.Disabled = true }),
		"POST /v1/clients/{id}/enable":              f.changeClient(func(c *clientRecord, _ *http.Request) { c.Disabled = false }),
		"POST /v1/clients/{id}/secret":              f.rotateSecret,
		"DELETE /v1/clients/{id}":                   f.deleteClient,
		"GET /v1/users":                             f.listUsers,
		"POST /v1/users":                            f.createUser,
		"POST /v1/users:import":                     f.importUsers,
		"GET /v1/users/{name}":                      f.changeUser(func(*userRecord, *http.Request) {}),
		"PATCH /v1/users/{name}":                    f.changeUser(mergeClaims),
		"POST /v1/users/{name}/disable":             f.changeUser(func(u *userRecord, _ *http.Request) { u.Disabled = true }),
		"POST /v1/users/{name}/enable":              f.changeUser(func(u *userRecord, _ *http.Request) { u.Disabled = false }),
		"PUT /v1/users/{name}/password":             f.changeUser(func(u *userRecord, _ *http.Request) { u.HasPassword = true }),
		"DELETE /v1/users/{name}":                   f.deleteUser,
		"GET /v1/users/{name}/sessions":             f.sessions,
		"DELETE /v1/users/{name}/sessions":          f.sessions,
		"DELETE /v1/users/{name}/sessions/{sid...}": func(*http.Request) (int, any) { return refuse(404, "not_found", "there is no such session") },
		"GET /v1/keys":                              f.keys,
		"POST /v1/keys/rotate": func(*http.Request) (int, any) {
			return 200, map[string]time.Time{"activates_at": time.Now().Add(time.Hour)}
		},
		"GET /v1/audit": f.audit,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { f.answer(w, r, h) })
	}
	mux.HandleFunc("GET /v1/backup", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the store") })
	return mux
}

func (f *fakeAdmin) answer(w http.ResponseWriter, r *http.Request, h handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	status, body := h(r)
	if r.Method != http.MethodGet && status < 300 {
		e := eventRecord{Seq: uint64(len(f.events) + 1), At: time.Now(), Type: "admin", Outcome: "ok", ClientID: r.PathValue("id")}
		f.events = append(f.events, e)
	}
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func refuse(status int, code, message string) (int, any) {
	return status, apiError{Code: code, Message: message}
}

func (f *fakeAdmin) listClients(r *http.Request) (int, any) {
	list, next := onePage(f.clients, r)
	return 200, map[string]any{"clients": list, "next": next}
}

// onePage never holds more than two, so that the scripts see several.
func onePage[T any](m map[string]T, r *http.Request) ([]T, string) {
	list := []T{}
	names := slices.Sorted(maps.Keys(m))
	for _, name := range names {
		if name <= r.FormValue("after") {
			continue
		}
		if list = append(list, m[name]); len(list) == 2 && name != names[len(names)-1] {
			return list, name
		}
	}
	return list, ""
}

func (f *fakeAdmin) createClient(r *http.Request) (int, any) {
	var c clientRecord
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		return refuse(400, "invalid", err.Error())
	}
	if _, taken := f.clients[c.ID]; taken {
		return refuse(409, "exists", "there is a client "+c.ID+" already; choose another id")
	}
	c.AuthMethods = []string{"none"}
	c.CreatedAt, c.UpdatedAt = time.Now(), time.Now()
	if !c.Public {
		c.AuthMethods, c.Secrets = []string{"client_secret_basic", "client_secret_post"}, []clientSecret{{time.Now()}}
	}
	f.clients[c.ID] = c
	if !c.Public {
		c.Secret = "signet_cs_" + c.ID
	}
	return 201, c
}

func (f *fakeAdmin) changeClient(change func(*clientRecord, *http.Request)) handler {
	return func(r *http.Request) (int, any) {
		c, ok := f.clients[r.PathValue("id")]
		if !ok {
			return refuse(404, "not_found", "there is no such client; `signet client list` shows them")
		}
		change(&c, r)
		f.clients[c.ID] = c
		return 200, c
	}
}

func (f *fakeAdmin) rotateSecret(r *http.Request) (int, any) {
	c, ok := f.clients[r.PathValue("id")]
	if !ok {
		return refuse(404, "not_found", "there is no such client; `signet client list` shows them")
	}
	var body struct {
		RevokeOld bool `json:"revoke_old"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	if body.RevokeOld {
		c.Secrets = nil
	}
	c.Secrets = append([]clientSecret{{time.Now()}}, c.Secrets...)
	f.clients[c.ID] = c
	return 200, map[string]string{"client_id": c.ID, "client_secret": "signet_cs_new"}
}

func (f *fakeAdmin) deleteClient(r *http.Request) (int, any) {
	if _, ok := f.clients[r.PathValue("id")]; !ok {
		return refuse(404, "not_found", "there is no such client; `signet client list` shows them")
	}
	delete(f.clients, r.PathValue("id"))
	return 204, nil
}

func (f *fakeAdmin) listUsers(r *http.Request) (int, any) {
	list, next := onePage(f.users, r)
	return 200, map[string]any{"users": list, "next": next}
}

func (f *fakeAdmin) createUser(r *http.Request) (int, any) {
	var body struct {
		userRecord
		Password string `json:"password"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return refuse(400, "invalid", err.Error())
	}
	if body.Password != "" && len(body.Password) < 15 {
		return refuse(400, "invalid", "the password has fewer than 15 characters; choose a longer one")
	}
	u := body.userRecord
	if _, taken := f.users[u.Username]; taken {
		return refuse(409, "exists", "there is a user "+u.Username+" already; choose another name")
	}
	u.Subject, u.HasPassword, u.CreatedAt, u.UpdatedAt = "usr_"+u.Username, body.Password != "", time.Now(), time.Now()
	f.users[u.Username] = u
	return 201, u
}

func (f *fakeAdmin) changeUser(change func(*userRecord, *http.Request)) handler {
	return func(r *http.Request) (int, any) {
		u, ok := f.users[r.PathValue("name")]
		if !ok {
			return refuse(404, "not_found", "there is no such user; `signet user list` shows them")
		}
		change(&u, r)
		f.users[u.Username] = u
		if r.Method == http.MethodPut {
			return 204, nil
		}
		return 200, u
	}
}

func mergeClaims(u *userRecord, r *http.Request) {
	var patch userRecord
	_ = json.NewDecoder(r.Body).Decode(&patch)
	merged := maps.Clone(u.Claims)
	maps.Copy(merged, patch.Claims)
	maps.DeleteFunc(merged, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	u.Claims = merged
}

func (f *fakeAdmin) deleteUser(r *http.Request) (int, any) {
	if _, ok := f.users[r.PathValue("name")]; !ok {
		return refuse(404, "not_found", "there is no such user; `signet user list` shows them")
	}
	delete(f.users, r.PathValue("name"))
	return 204, nil
}

func (f *fakeAdmin) importUsers(r *http.Request) (int, any) {
	report := importReport{Refused: []refusedLine{}}
	lines := bufio.NewScanner(r.Body)
	for n := 1; lines.Scan(); n++ {
		var u struct {
			Username string `json:"username"`
			Hash     string `json:"password_hash"`
		}
		if json.Unmarshal(lines.Bytes(), &u) != nil || !strings.HasPrefix(u.Hash, "$") {
			report.Refused = append(report.Refused, refusedLine{n, u.Username, "its password_hash is of no known kind"})
			continue
		}
		f.users[u.Username] = userRecord{Username: u.Username, Subject: "usr_" + u.Username, HasPassword: true}
		report.Accepted++
	}
	return 200, report
}

func (f *fakeAdmin) sessions(r *http.Request) (int, any) {
	if _, ok := f.users[r.PathValue("name")]; !ok {
		return refuse(404, "not_found", "there is no such user; `signet user list` shows them")
	}
	return 200, map[string]any{"sessions": []sessionRecord{}, "revoked": 0}
}

func (f *fakeAdmin) keys(*http.Request) (int, any) {
	now := time.Now()
	return 200, keyring{Version: 3,
		Keys: []keyRecord{
			{ID: "kid-a", Alg: "ES256", State: "active", ActivatesAt: now, Next: "retired", NextAt: now.Add(72 * time.Hour)},
			{ID: "kid-b", Alg: "ES256", State: "pending", ActivatesAt: now.Add(72 * time.Hour)},
		},
		Replicas: []replicaRecord{{"one", 3, now}, {"two", 2, now}}}
}

func (f *fakeAdmin) audit(r *http.Request) (int, any) {
	events := []eventRecord{}
	for _, e := range f.events {
		if id := r.FormValue("client_id"); id == "" || e.ClientID == id {
			events = append(events, e)
		}
	}
	return 200, map[string]any{"events": events, "next": cmp.Or(len(f.events), 0)}
}
