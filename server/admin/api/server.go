package api

import "time"

// Event is one event of the audit trail.
type Event struct {
	Seq       uint64            `json:"seq"` // rises by one an event
	At        time.Time         `json:"at"`
	Type      string            `json:"type"`
	Outcome   string            `json:"outcome"`
	Actor     string            `json:"actor,omitempty"`
	ClientID  string            `json:"client_id,omitempty"`
	Subject   string            `json:"sub,omitempty"`
	SessionID string            `json:"sid,omitempty"`
	KeyID     string            `json:"kid,omitempty"`
	RequestID string            `json:"request_id,omitempty"`
	Address   string            `json:"address,omitempty"` // the caller's IP address
	Detail    map[string]string `json:"detail,omitempty"`
}

// EventList is the answer of ListEvents, oldest first.
type EventList struct {
	Events []Event `json:"events"`
	Next   uint64  `json:"next"` // the after of later events, also where there are none yet
}

// SealProgress is one line of the answer of SealStore.
type SealProgress struct {
	Step    string   `json:"step"`              // wait, seal or done
	Looked  int      `json:"looked"`            // records that were read
	Sealed  int      `json:"sealed"`            // those of them that were rewritten
	Waiting []string `json:"waiting,omitempty"` // replicas that do not write the new format yet
	Done    bool     `json:"done,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// Status is the answer of ShowStatus.
type Status struct {
	Issuer    string    `json:"issuer"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Ready     Readiness `json:"ready"`

	// Upstream is the kind of system that is asked for the passwords of users who are not here: https or ldap. Empty: there
	// is none.
	Upstream string `json:"upstream,omitempty"`
}

// Readiness reports for each function whether it would work now.
type Readiness struct {
	Ready    bool   `json:"ready"`            // all of them
	Store    bool   `json:"store"`            // logins and refreshes
	Signing  bool   `json:"signing"`          // any token
	Clock    bool   `json:"clock"`            // it agrees with the store and the other replicas
	KeySet   bool   `json:"key_set"`          // for verifiers
	Draining bool   `json:"draining"`         // the server is shutting down
	Reason   string `json:"reason,omitempty"` // why Clock is false: clock_off or clock_behind

	// Hashing is "fell_back" while passwords are hashed in the server because their process does not run or does not answer:
	// all works, and other requests are slower while users log in.
	Hashing string `json:"hashing,omitempty"`

	// Usernames is "collide" while several users have spellings of one name, from an earlier version: all works, each logs in
	// with the own spelling, and the server's log names them.
	Usernames string `json:"usernames,omitempty"`
}
