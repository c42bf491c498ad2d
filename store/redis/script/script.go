// Package script has the Lua scripts of package redis. Each is one atomic step, and its keys are in one slot. A file begins
// with its keys, arguments and replies.
//
//   - record.lua reads and writes the records of users and sessions.
//   - limit.lua has the limit of a user's sessions.
//   - tally.lua has the rules of store.Tally.
//   - outbox.lua keeps the audit events of a change in the same step.
//   - remove_logout.lua takes a logout out of the queue.
package script

import (
	"embed"
	"strings"

	"signet/store/redis/conn"
)

//go:embed *.lua
var files embed.FS

// source joins files. A name that is wrong panics at the start of the program, so any test finds it.
func source(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		text, err := files.ReadFile(name + ".lua")
		if err != nil {
			panic(err)
		}
		b.Write(text)
	}
	return b.String()
}

// The scripts, each named as its file.
var (
	Rotate             = conn.NewScript(source("record", "rotate"), conn.ListReply)
	StartSession       = conn.NewScript(source("outbox", "record", "limit", "start_session"), conn.ListReply)
	RedeemCode         = conn.NewScript(source("outbox", "record", "limit", "redeem_code"), conn.ListReply)
	SweepSessions      = conn.NewScript(source("record", "sweep_sessions"), conn.ListReply)
	UpdateUser         = conn.NewScript(source("outbox", "record", "update_user"), conn.ListReply)
	DeleteUser         = conn.NewScript(source("outbox", "record", "delete_user"), conn.ListReply)
	RevokeSession      = conn.NewScript(source("outbox", "record", "revoke_session"), conn.ListReply)
	TakeName           = conn.NewScript(source("outbox", "take_name"), conn.TextReply)
	FreeName           = conn.NewScript(source("free_name"), conn.NumberReply)
	AnnounceCredential = conn.NewScript(source("announce_credential"), conn.NumberReply)
	CopyCredential     = conn.NewScript(source("copy_credential"), conn.NumberReply)
	CreateClient       = conn.NewScript(source("outbox", "create_client"), conn.TextReply)
	Rewrite            = conn.NewScript(source("rewrite"), conn.NumberReply)
	UpdateClient       = conn.NewScript(source("outbox", "update_client"), conn.TextReply)
	DeleteClient       = conn.NewScript(source("outbox", "delete_client"), conn.TextReply)
	SwapKeyring        = conn.NewScript(source("outbox", "swap_keyring"), conn.TextReply)
	RevokeToken        = conn.NewScript(source("outbox", "revoke_token"), conn.NumberReply)
	AppendEvents       = conn.NewScript(source("append_events"), conn.NumberReply)
	KeepEvent          = conn.NewScript(source("outbox", "keep_event"), conn.NumberReply)
	KeptEvents         = conn.NewScript(source("record", "kept_events"), conn.ListReply)
	AddLogouts         = conn.NewScript(source("record", "remove_logout", "add_logouts"), conn.NumberReply)
	ClaimLogouts       = conn.NewScript(source("record", "claim_logouts"), conn.ListReply)
	FinishLogout       = conn.NewScript(source("remove_logout", "finish_logout"), conn.NumberReply)
	PostponeLogout     = conn.NewScript(source("record", "postpone_logout"), conn.NumberReply)
	LogoutQueue        = conn.NewReadScript(source("logout_queue"), conn.ListReply)
	Allow              = conn.NewScript(source("tally", "allow"), conn.ListReply)
	Decide             = conn.NewScript(source("tally", "decide"), conn.ListReply)
	ReadEvents         = conn.NewReadScript(source("read_events"), conn.NestedReply)
	NoteMasters        = conn.NewScript(source("note_masters"), conn.NumberReply)
	RecordLoss         = conn.NewScript(source("record_loss"), conn.NumberReply)
	Probe              = conn.NewScript(source("probe"), conn.TextReply)
)
