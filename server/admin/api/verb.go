package api

import (
	"net/http"
	"net/url"
	"strings"
)

// Verb is one operation of the API.
type Verb struct {
	Method string
	Path   string // {name} stands for one segment of any text, percent-encoded
	Name   string // in logs, in metrics and, for most changes, as the type of the audit event
	Scope  string // the scope that a token needs; AnyScope: one of Scopes, whichever
	Stream bool   // its body or its answer may be of any length, so it has no time limit as a whole
}

// Clients. {id} is a client_id. A change of one takes Target.IfMatch.
var (
	// ListClients takes ?limit= and ?after= and answers ClientList.
	ListClients = Verb{Method: http.MethodGet, Path: "/v1/clients", Name: "client.list", Scope: ScopeClients}
	// CreateClient takes NewClient and answers 201 and Client, this once with its secret.
	CreateClient = Verb{Method: http.MethodPost, Path: "/v1/clients", Name: "client.create", Scope: ScopeClients}
	// ShowClient answers Client.
	ShowClient = Verb{Method: http.MethodGet, Path: "/v1/clients/{id}", Name: "client.show", Scope: ScopeClients}
	// UpdateClient takes the members of ClientSpec that change and answers Client. A list replaces the old one.
	UpdateClient = Verb{Method: http.MethodPatch, Path: "/v1/clients/{id}", Name: "client.update", Scope: ScopeClients}
	// DeleteClient answers 204.
	DeleteClient = Verb{Method: http.MethodDelete, Path: "/v1/clients/{id}", Name: "client.delete", Scope: ScopeClients}
	// RotateSecret takes SecretRotation and answers ClientSecret. The secret before it stays valid.
	RotateSecret = Verb{Method: http.MethodPost, Path: "/v1/clients/{id}/secret", Name: "client.rotate_secret", Scope: ScopeClients}
	// RevokeSecret ends one of two secrets and answers Client. {secret} is a fingerprint, OldestSecret or NewestSecret.
	RevokeSecret = Verb{Method: http.MethodDelete, Path: "/v1/clients/{id}/secrets/{secret}", Name: "client.revoke_secret", Scope: ScopeClients}
	// DisableClient ends the client's sessions and tokens and answers Client.
	DisableClient = Verb{Method: http.MethodPost, Path: "/v1/clients/{id}/disable", Name: "client.disable", Scope: ScopeClients}
	// EnableClient answers Client.
	EnableClient = Verb{Method: http.MethodPost, Path: "/v1/clients/{id}/enable", Name: "client.enable", Scope: ScopeClients}
)

// Users. {username} is a username in any spelling, or a sub.
var (
	// ListUsers takes ?limit=, ?after=, ?prefix=, ?disabled= and ?weak= and answers UserList.
	ListUsers = Verb{Method: http.MethodGet, Path: "/v1/users", Name: "user.list", Scope: ScopeUsers}
	// CreateUser takes NewUser and answers 201 and User.
	CreateUser = Verb{Method: http.MethodPost, Path: "/v1/users", Name: "user.create", Scope: ScopeUsers}
	// ImportUsers takes a UserRecord a line and answers Report, or an ImportLine for each where Accept has NDJSON. With
	// ?dry_run=true nothing is changed. ?on_conflict= is fail, skip or update. ?allow_weak=true accepts hashes
	// without a salt. ?id_claim= is the claim that keeps the id of the old system.
	// ?not_moved=true marks users without a password hash as not moved: the upstream is asked for them. ?wrap_later=true stores
	// hashes that are fast to guess, and have a salt and many steps, as they are until the server has time to wrap them.
	ImportUsers = Verb{Method: http.MethodPost, Path: "/v1/users:import", Name: "user.import", Scope: ScopeUsers, Stream: true}
	// ShowMoved counts the users and answers Moved. It reads all of them.
	ShowMoved = Verb{Method: http.MethodGet, Path: "/v1/users:moved", Name: "user.moved", Scope: ScopeUsers, Stream: true}
	// DisableUsers does what DisableUser does for each UserLine and answers Report. So do the three after it.
	DisableUsers = Verb{Method: http.MethodPost, Path: "/v1/users:disable", Name: "user.bulk_disable", Scope: ScopeUsers, Stream: true}
	// EnableUsers is EnableUser for each UserLine.
	EnableUsers = Verb{Method: http.MethodPost, Path: "/v1/users:enable", Name: "user.bulk_enable", Scope: ScopeUsers, Stream: true}
	// DeleteUsers is DeleteUser for each UserLine.
	DeleteUsers = Verb{Method: http.MethodPost, Path: "/v1/users:delete", Name: "user.bulk_delete", Scope: ScopeUsers, Stream: true}
	// RevokeSessionsOfUsers is RevokeSessions for each UserLine.
	RevokeSessionsOfUsers = Verb{Method: http.MethodPost, Path: "/v1/users:revoke-sessions", Name: "session.bulk_revoke_all", Scope: ScopeUsers, Stream: true}
	// ShowUser answers User.
	ShowUser = Verb{Method: http.MethodGet, Path: "/v1/users/{username}", Name: "user.show", Scope: ScopeUsers}
	// UpdateUser takes UserChanges and answers User.
	UpdateUser = Verb{Method: http.MethodPatch, Path: "/v1/users/{username}", Name: "user.update", Scope: ScopeUsers}
	// DeleteUser answers 204.
	DeleteUser = Verb{Method: http.MethodDelete, Path: "/v1/users/{username}", Name: "user.delete", Scope: ScopeUsers}
	// SetPassword takes NewPassword, ends the user's sessions and answers 204.
	SetPassword = Verb{Method: http.MethodPut, Path: "/v1/users/{username}/password", Name: "user.set_password", Scope: ScopeUsers}
	// RenameUser takes NewName and answers User. Sub and sessions stay; tokens have the new username from the next refresh on.
	RenameUser = Verb{Method: http.MethodPost, Path: "/v1/users/{username}/rename", Name: "user.rename", Scope: ScopeUsers}
	// AddAlias gives a user one more name to log in with and answers User. One that the user has already changes nothing.
	AddAlias = Verb{Method: http.MethodPut, Path: "/v1/users/{username}/aliases/{alias}", Name: "user.add_alias", Scope: ScopeUsers}
	// RemoveAlias takes it away and answers User. {alias} is in any spelling.
	RemoveAlias = Verb{Method: http.MethodDelete, Path: "/v1/users/{username}/aliases/{alias}", Name: "user.remove_alias", Scope: ScopeUsers}
	// DisableUser ends the user's sessions and answers User.
	DisableUser = Verb{Method: http.MethodPost, Path: "/v1/users/{username}/disable", Name: "user.disable", Scope: ScopeUsers}
	// EnableUser answers User.
	EnableUser = Verb{Method: http.MethodPost, Path: "/v1/users/{username}/enable", Name: "user.enable", Scope: ScopeUsers}
)

// Sessions.
var (
	// RevokeAllSessions ends the sessions of all users and the clients' own tokens, and answers ClientsEnded.
	RevokeAllSessions = Verb{Method: http.MethodDelete, Path: "/v1/sessions", Name: "session.revoke_everybody", Scope: ScopeAdmin, Stream: true}
	// ListSessions answers SessionList.
	ListSessions = Verb{Method: http.MethodGet, Path: "/v1/users/{username}/sessions", Name: "session.list", Scope: ScopeUsers}
	// RevokeSessions ends all sessions of the user and answers SessionsRevoked.
	RevokeSessions = Verb{Method: http.MethodDelete, Path: "/v1/users/{username}/sessions", Name: "session.revoke_all", Scope: ScopeUsers}
	// RevokeSession answers 204.
	RevokeSession = Verb{Method: http.MethodDelete, Path: "/v1/users/{username}/sessions/{sid}", Name: "session.revoke", Scope: ScopeUsers}
)

// Failures that are counted against users and networks.
var (
	// ListThrottle takes ?user= or ?address= and answers LimitList.
	ListThrottle = Verb{Method: http.MethodGet, Path: "/v1/throttle", Name: "throttle.list", Scope: ScopeUsers}
	// ClearThrottle takes ?user= or ?address=, forgets those failures and answers LimitsCleared.
	ClearThrottle = Verb{Method: http.MethodDelete, Path: "/v1/throttle", Name: "throttle.clear", Scope: ScopeUsers}
)

// Signing keys. {kid} is a key's id.
var (
	// ListKeys answers KeyList.
	ListKeys = Verb{Method: http.MethodGet, Path: "/v1/keys", Name: "keys.list", Scope: ScopeKeys}
	// PlanKeys takes ?for= with a duration such as 8760h and answers KeyPlan.
	PlanKeys = Verb{Method: http.MethodGet, Path: "/v1/keys/plan", Name: "keys.plan", Scope: ScopeKeys}
	// RotateKeys takes KeyRotation and answers 202 and RotatedKeys.
	RotateKeys = Verb{Method: http.MethodPost, Path: "/v1/keys/rotate", Name: "keys.rotate", Scope: ScopeKeys}
	// RewrapKeys seals the signing keys under the first master key and answers RewrappedKeys.
	RewrapKeys = Verb{Method: http.MethodPost, Path: "/v1/keys/rewrap", Name: "keys.rewrap", Scope: ScopeKeys}
	// ResetClock forgets a time that a wrong clock has shown and answers ClockReset.
	ResetClock = Verb{Method: http.MethodPost, Path: "/v1/keys/clock-reset", Name: "keys.clock_reset", Scope: ScopeKeys}
	// RevokeKey takes KeyRevocation and answers RevokedKey.
	RevokeKey = Verb{Method: http.MethodPost, Path: "/v1/keys/{kid}/revoke", Name: "keys.revoke", Scope: ScopeKeys}
)

// The server and its store.
var (
	// ListEvents takes ?limit=, ?after=, ?newest=, ?type=, ?client_id=, ?sub=, ?user=, ?address=, ?since= and ?until=
	// and answers EventList.
	ListEvents = Verb{Method: http.MethodGet, Path: "/v1/audit", Name: "audit.list", Scope: ScopeAudit}
	// Backup answers a copy of the store. An answer that breaks off has its connection cut.
	Backup = Verb{Method: http.MethodGet, Path: "/v1/backup", Name: "backup", Scope: ScopeBackup, Stream: true}
	// SealStore answers a SealProgress a line. The last one has Done or Error.
	SealStore = Verb{Method: http.MethodPost, Path: "/v1/store/seal", Name: "store.seal", Scope: ScopeAdmin, Stream: true}
	// ShowStatus answers Status.
	ShowStatus = Verb{Method: http.MethodGet, Path: "/v1/status", Name: "status", Scope: AnyScope}
	// ShowMetrics answers the metrics in the text format of Prometheus.
	ShowMetrics = Verb{Method: http.MethodGet, Path: "/metrics", Name: "metrics", Scope: ScopeMetrics, Stream: true}
)

// Verbs are all of them.
var Verbs = []Verb{
	ListClients, CreateClient, ShowClient, UpdateClient, DeleteClient, RotateSecret, RevokeSecret, DisableClient, EnableClient,
	ListUsers, CreateUser, ImportUsers, ShowMoved, DisableUsers, EnableUsers, DeleteUsers, RevokeSessionsOfUsers,
	ShowUser, UpdateUser, RenameUser, AddAlias, RemoveAlias, DeleteUser, SetPassword, DisableUser, EnableUser,
	RevokeAllSessions, ListSessions, RevokeSessions, RevokeSession,
	ListThrottle, ClearThrottle,
	ListKeys, PlanKeys, RotateKeys, RewrapKeys, ResetClock, RevokeKey,
	ListEvents, Backup, SealStore, ShowStatus, ShowMetrics,
}

// Target is the request line of a verb: what a client calls.
type Target struct {
	Verb
	URL    string // the path with its names filled in, and the query
	Accept string // media type of the answer, where the verb has several; empty: the first
	// IfMatch is the Revision that a client must still have: else it is not changed, and the answer is CodeChanged
	// (RFC 9110 §13.1.1). Empty: it is changed whatever it is.
	IfMatch string
}

// At fills in the names of the path, in their order. It panics where there are more or fewer.
func (v Verb) At(values ...string) Target {
	parts := strings.Split(v.Path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i], values = url.PathEscape(values[0]), values[1:]
		}
	}
	if len(values) > 0 {
		panic("api: " + v.Path + " has fewer names than there are values")
	}
	return Target{Verb: v, URL: strings.Join(parts, "/")}
}

// Query returns the target with a query.
func (t Target) Query(q url.Values) Target {
	if len(q) > 0 {
		t.URL += "?" + q.Encode()
	}
	return t
}
