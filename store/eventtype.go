package store

import (
	"strings"
)

// EventClass is the part of the audit trail that an event is kept in. Each class has its own retention,
// so that events of one class never push out those of another.
type EventClass string

// The classes of events.
const (
	ClassKeys     EventClass = "keys"     // signing keys and what happened to the clock they depend on
	ClassAdmin    EventClass = "admin"    // what operators did
	ClassSessions EventClass = "sessions" // logins, sessions that ended, reuse of a refresh token
	ClassOwn      EventClass = "own"      // revocations by the client whose token it was: it can repeat them at will
	ClassRefusals EventClass = "refusals" // refused requests, and counts of those that were left out
)

// EventClasses lists the classes.
var EventClasses = []EventClass{ClassKeys, ClassAdmin, ClassSessions, ClassOwn, ClassRefusals}

// Types of audit events. A change adds its type to EventTypes.
const (
	EventLogin        = "login"
	EventUnderAttack  = "login_under_attack"
	EventRefresh      = "refresh"
	EventRefreshReuse = "refresh_reuse"
	EventRefreshLate  = "refresh_late"
	EventRevoke       = "revoke"
	EventCode         = "code"
	EventCodeReuse    = "code_reuse"
	EventLogout       = "logout" // of which an app was not informed

	EventToken      = "token"
	EventIntrospect = "introspect"
	EventUserinfo   = "userinfo"
	EventClientAuth = "client_auth"
	EventAdminAuth  = "admin_auth"

	EventClientCreate       = "client.create"
	EventClientUpdate       = "client.update"
	EventClientDelete       = "client.delete"
	EventClientDisable      = "client.disable"
	EventClientEnable       = "client.enable"
	EventClientRotateSecret = "client.rotate_secret"
	EventClientRevokeSecret = "client.revoke_secret"

	EventUserCreate      = "user.create"
	EventUserImport      = "user.import" // at its end
	EventUserImportBegin = "user.import_begin"
	EventUserBulk        = "user.bulk" // at the end of a verb for many users, each of whom has an event as well
	EventUserBulkBegin   = "user.bulk_begin"
	EventUserUpdate      = "user.update"
	EventUserDelete      = "user.delete"
	EventUserRename      = "user.rename"
	EventUserAddAlias    = "user.add_alias"
	EventUserRemoveAlias = "user.remove_alias"
	EventUserMove        = "user.move"
	EventUserBreached    = "user.breached"
	EventUpstream        = "upstream"
	EventUserDisable     = "user.disable"
	EventUserEnable      = "user.enable"
	EventUserSetPassword = "user.set_password"

	EventSessionRevoke          = "session.revoke"
	EventSessionRevokeAll       = "session.revoke_all"
	EventSessionRevokeEverybody = "session.revoke_everybody" // at its end

	EventSessionRevokeEverybodyBegin = "session.revoke_everybody_begin"

	EventThrottleClear = "throttle.clear"

	EventKeysRotate = "keys.rotate"
	EventKeysRevoke = "keys.revoke"
	EventKeysRewrap = "keys.rewrap"

	EventKeysClockReset = "keys.clock_reset"

	EventStoreSeal = "store.seal"

	EventBackup    = "backup" // at its beginning: the copy holds it
	EventBackupEnd = "backup_end"
	EventRestore   = "restore"

	// EventKeyPrefix begins the type of what happened to a signing key; the step follows.
	EventKeyPrefix  = "key."
	EventKeyRevoked = "key.revoked"
)

// Outcomes of audit events that several types share. Refresh events have others, as Outcome names them.
const (
	OutcomeOK          = "ok"
	OutcomeRefused     = "refused"
	OutcomeThrottled   = "throttled"
	OutcomeUnavailable = "unavailable" // a dependency failed before anything was changed
	OutcomeUnknown     = "unknown"     // a dependency failed while it was asked for a change, which may have been made
	OutcomeMore        = "more"        // counts events that were left out; see DetailMore
)

// Keys of Event.Detail that several types share.
const (
	DetailReason    = "reason"
	DetailUsername  = "username"       // of a user that exists or did, in its canonical form
	DetailNameHash  = "name_hash"      // keyed hash of a username that was typed, where there may be no such user
	DetailTypedName = "typed_username" // that username itself, where log.usernames is set
	DetailJTI       = "jti"
	DetailMore      = "more"    // how many events were left out
	DetailNetwork   = "network" // where they came from
	DetailRevision  = "revision"
	DetailDropped   = "dropped" // the fingerprint of a client secret that was dropped; see Secret.Fingerprint
	DetailEpoch     = "epoch"
)

// EventType describes one type of audit event.
type EventType struct {
	Name    string
	Class   EventClass // of an event with outcome ok; a refusal is of ClassRefusals
	Meaning string
}

// EventTypes lists every type, sorted by name.
var EventTypes = []EventType{
	{EventAdminAuth, ClassRefusals, "a request to the admin listener was refused: no good token, or not the scope for it"},
	{EventBackup, ClassAdmin, "an operator began to download a backup"},
	{EventBackupEnd, ClassAdmin, "the download of a backup ended, complete or not"},
	{EventClientCreate, ClassAdmin, "an operator registered a client"},
	{EventClientDelete, ClassAdmin, "an operator deleted a client"},
	{EventClientDisable, ClassAdmin, "an operator disabled a client"},
	{EventClientEnable, ClassAdmin, "an operator enabled a client"},
	{EventClientRevokeSecret, ClassAdmin, "an operator revoked a secret of a client"},
	{EventClientRotateSecret, ClassAdmin, "an operator gave a client a new secret"},
	{EventClientUpdate, ClassAdmin, "an operator changed a client"},
	{EventClientAuth, ClassRefusals, "client authentication failed"},
	{EventCode, ClassSessions, "an app redeemed an authorization code and a session began, or the code was refused"},
	{EventCodeReuse, ClassSessions, "an authorization code was used again; the session that it began was ended"},
	{EventIntrospect, ClassRefusals, "a request to /introspect was refused"},
	{"key.activated", ClassKeys, "a key began to sign"},
	{"key.clock_agreed", ClassKeys, "the store's clock is no longer disputed"},
	{"key.clock_disputed", ClassKeys, "the replicas dispute the store's clock; keys do not rotate"},
	{"key.clock_off", ClassKeys, "a replica's clock is wrong; it signs nothing"},
	{"key.clock_reset", ClassKeys, "the latest time that was seen was declared wrong"},
	{"key.clock_right", ClassKeys, "a replica's clock is right again"},
	{"key.created", ClassKeys, "a key was made"},
	{"key.kept", ClassKeys, "an algorithm that was to end is kept"},
	{"key.leaving", ClassKeys, "an algorithm that is no longer configured will end"},
	{"key.readable", ClassKeys, "the keyring can be read again"},
	{"key.removed", ClassKeys, "a key left the key set for good"},
	{"key.restored", ClassKeys, "the store had an older keyring, or none; a replica wrote its own back"},
	{"key.retired", ClassKeys, "a key stopped signing"},
	{EventKeyRevoked, ClassKeys, "a key was taken out of service"},
	{"key.rewrapped", ClassKeys, "the keyring was sealed under another master key"},
	{"key.scheduled", ClassKeys, "an activation was planned anew"},
	{"key.unreadable", ClassKeys, "the keyring could not be read"},
	{EventKeysClockReset, ClassKeys, "an operator declared the latest time that was seen wrong"},
	{EventKeysRevoke, ClassKeys, "an operator revoked a key"},
	{EventKeysRewrap, ClassKeys, "an operator had the keyring sealed under another master key"},
	{EventKeysRotate, ClassKeys, "an operator rotated a key"},
	{EventLogin, ClassSessions, "a user logged in, or tried to"},
	{EventUnderAttack, ClassSessions, "failed logins of one account from new networks reached their limit; such networks now share one try a minute"},
	{EventLogout, ClassSessions, "an app was not informed that a session has ended: it refused the logout token, or could not be reached in time"},
	{EventRefresh, ClassSessions, "a refresh ended or healed a session, or was refused; a good one is not recorded"},
	{EventRefreshLate, ClassSessions, "a refresh token was used late and its unused successor was skipped"},
	{EventRefreshReuse, ClassSessions, "a spent refresh token was used again; the session was ended"},
	{EventRestore, ClassAdmin, "a backup was put in the place of the store"},
	{EventRevoke, ClassOwn, "a client revoked its own token or session, or was refused"},
	{EventSessionRevoke, ClassAdmin, "an operator ended a session, or the user did"},
	{EventSessionRevokeAll, ClassAdmin, "an operator ended all sessions of a user"},
	{EventSessionRevokeEverybody, ClassAdmin, "an operator ended all sessions of all users"},
	{EventSessionRevokeEverybodyBegin, ClassAdmin, "an operator began to end all sessions of all users"},
	{EventStoreSeal, ClassAdmin, "an operator had every record of the store sealed"},
	{EventThrottleClear, ClassAdmin, "an operator had failed logins forgotten"},
	{EventToken, ClassRefusals, "a request to /token was refused for another reason"},
	{EventUpstream, ClassRefusals, "the upstream gave an answer about a user that was not used"},
	{EventUserAddAlias, ClassAdmin, "an operator gave a user one more name to log in with"},
	{EventUserBreached, ClassSessions, "a login marked a user, whose password is in the list of breached ones, or removed the mark"},
	{EventUserBulk, ClassAdmin, "an operator changed many users; the stream of them ended"},
	{EventUserBulkBegin, ClassAdmin, "an operator began to change many users"},
	{EventUserCreate, ClassAdmin, "an operator created a user"},
	{EventUserDelete, ClassAdmin, "an operator deleted a user"},
	{EventUserDisable, ClassAdmin, "an operator disabled a user"},
	{EventUserEnable, ClassAdmin, "an operator enabled a user"},
	{EventUserImport, ClassAdmin, "an operator imported users; the import ended"},
	{EventUserImportBegin, ClassAdmin, "an operator began to import users"},
	{EventUserMove, ClassSessions, "a user came from the upstream, which accepted the password"},
	{EventUserRemoveAlias, ClassAdmin, "an operator took an alias from a user"},
	{EventUserRename, ClassAdmin, "an operator changed the username of a user"},
	{EventUserSetPassword, ClassAdmin, "an operator set a user's password, or the user did"},
	{EventUserUpdate, ClassAdmin, "an operator changed a user's claims"},
	{EventUserinfo, ClassRefusals, "a request to /userinfo was refused"},
}

// RelatedEventTypes returns the names of the types that name stands for in a search: name itself, and
// those that begin with it and a point or an underscore. It returns nil where there is none.
func RelatedEventTypes(name string) []string {
	var related []string
	for _, t := range EventTypes {
		if rest, ok := strings.CutPrefix(t.Name, name); ok && name != "" && (rest == "" || rest[0] == '.' || rest[0] == '_') {
			related = append(related, t.Name)
		}
	}
	return related
}

// ClassOf returns the class that e is kept in. It follows from the type and the outcome alone, so events
// recorded by any version, or read from a log, are of the same class.
func ClassOf(e Event) EventClass {
	class := ClassAdmin
	if strings.HasPrefix(e.Type, EventKeyPrefix) {
		class = ClassKeys
	}
	for _, t := range EventTypes {
		if t.Name == e.Type {
			class = t.Class
		}
	}
	if changed(class, e) {
		return class
	}
	return ClassRefusals
}

// changed reports whether e records a change, or what may have been one.
func changed(class EventClass, e Event) bool {
	switch e.Type {
	case EventRefresh:
		return e.Outcome == Healed.String() || e.Outcome == Revoked.String()
	case EventRefreshReuse, EventRefreshLate:
		return e.Outcome != OutcomeMore
	case EventCodeReuse:
		return e.Outcome == Reused.String()
	case EventLogout:
		return e.Outcome != OutcomeMore
	}
	return e.Outcome == OutcomeOK || e.Outcome == OutcomeUnknown && class != ClassSessions
}
