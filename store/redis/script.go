package redis

import (
	"crypto/sha1"
	_ "embed"
	"encoding/hex"

	"github.com/redis/go-redis/v9"

	"signet/store"
)

// script is an atomic step. Its keys are in one slot.
type script struct {
	source  string
	sha     string
	answers shape
	changes bool // it begins with deadline.lua
}

// newReadScript makes one that only reads.
func newReadScript(source string, answers shape) *script {
	sum := sha1.Sum([]byte(source)) // how Redis names scripts; nothing rests on it
	return &script{source: source, sha: hex.EncodeToString(sum[:]), answers: answers}
}

// newScript makes a script that changes something.
func newScript(source string, answers shape) *script {
	sc := newReadScript(deadlineLua+source, answers)
	sc.changes = true
	return sc
}

var (
	//go:embed script/deadline.lua
	deadlineLua string
	//go:embed script/write.lua
	writeLua string
	//go:embed script/record.lua
	recordLua string
	//go:embed script/rotate.lua
	rotateLua string
	//go:embed script/start_session.lua
	startSessionLua string
	//go:embed script/sweep_sessions.lua
	sweepSessionsLua string
	//go:embed script/update_user.lua
	updateUserLua string
	//go:embed script/delete_user.lua
	deleteUserLua string
	//go:embed script/take_name.lua
	takeNameLua string
	//go:embed script/free_name.lua
	freeNameLua string
	//go:embed script/announce_credential.lua
	announceCredentialLua string
	//go:embed script/copy_credential.lua
	copyCredentialLua string
	//go:embed script/create_client.lua
	createClientLua string
	//go:embed script/rewrite.lua
	rewriteLua string
	//go:embed script/update_client.lua
	updateClientLua string
	//go:embed script/delete_client.lua
	deleteClientLua string
	//go:embed script/swap_keyring.lua
	swapKeyringLua string
	//go:embed script/revoke_token.lua
	revokeTokenLua string
	//go:embed script/append_events.lua
	appendEventsLua string
	//go:embed script/tally.lua
	tallyLua string
	//go:embed script/allow.lua
	allowLua string
	//go:embed script/decide.lua
	decideLua string
	//go:embed script/read_events.lua
	readEventsLua string
	//go:embed script/note_masters.lua
	noteMastersLua string
	//go:embed script/record_loss.lua
	recordLossLua string
	//go:embed script/probe.lua
	probeLua string
	//go:embed script/outbox.lua
	outboxLua string
	//go:embed script/keep_event.lua
	keepEventLua string
	//go:embed script/kept_events.lua
	keptEventsLua string
	//go:embed script/revoke_session.lua
	revokeSessionLua string

	rotateScript        = newScript(recordLua+rotateLua, listReply)
	startSessionScript  = newScript(outboxLua+recordLua+startSessionLua, listReply)
	sweepSessionsScript = newScript(recordLua+sweepSessionsLua, listReply)
	updateUserScript    = newScript(outboxLua+recordLua+updateUserLua, listReply)
	deleteUserScript    = newScript(outboxLua+deleteUserLua, textReply)
	revokeSessionScript = newScript(outboxLua+revokeSessionLua, numberReply)

	takeNameScript           = newScript(outboxLua+takeNameLua, textReply)
	freeNameScript           = newScript(freeNameLua, numberReply)
	announceCredentialScript = newScript(announceCredentialLua, numberReply)
	copyCredentialScript     = newScript(copyCredentialLua, numberReply)

	createClientScript = newScript(outboxLua+createClientLua, textReply)
	rewriteScript      = newScript(rewriteLua, numberReply)
	updateClientScript = newScript(outboxLua+updateClientLua, textReply)
	deleteClientScript = newScript(outboxLua+deleteClientLua, textReply)

	swapKeyringScript  = newScript(outboxLua+swapKeyringLua, textReply)
	revokeTokenScript  = newScript(outboxLua+revokeTokenLua, numberReply)
	appendEventsScript = newScript(appendEventsLua, numberReply)
	keepEventScript    = newScript(outboxLua+keepEventLua, numberReply)
	keptEventsScript   = newScript(recordLua+keptEventsLua, listReply)
	allowScript        = newScript(tallyLua+allowLua, listReply)
	decideScript       = newScript(tallyLua+decideLua, listReply)
	readEventsScript   = newReadScript(readEventsLua, nestedReply)
	noteMastersScript  = newScript(noteMastersLua, numberReply)
	recordLossScript   = newScript(recordLossLua, numberReply)
	probeScript        = newScript(probeLua, textReply)
	writeScript        = newScript(writeLua, noReply) // the shape is that of the command
)

// call is one command or script on its way. All its keys are in the slot of key.
type call struct {
	key      string
	args     []any
	shape    shape
	script   *script // nil: a plain command
	confirm  bool    // it is about the calls before it: where one of them goes again, so does this
	optional bool    // the others are good without it
	cmd      *redis.Cmd

	keeps   bool           // the last key is an outbox, and the last argument what the script keeps there
	events  []*store.Event // that it keeps; none of a rotation
	entries []string       // their names
}

// command calls a command whose first key, as the router must know it, is key.
func command(key string, args ...any) *call {
	name, _ := args[0].(string)
	return &call{key: key, args: args, shape: shapes[name]}
}

// write calls a command that writes its first argument, by a script, so that it has a deadline.
func write(name, key string, args ...any) *call {
	c := writeScript.call([]string{key}, append([]any{name}, args...)...)
	c.shape = shapes[name]
	return c
}

func (sc *script) call(keys []string, args ...any) *call {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "evalsha", sc.sha, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return &call{key: keys[0], args: append(all, args...), shape: sc.answers, script: sc}
}

// sent are the arguments as they go to a server with that clock.
func (c *call) sent(d deadline) []any {
	if c.script == nil || !c.script.changes {
		return c.args
	}
	return append(c.args[:len(c.args):len(c.args)], d)
}

// whole sends the script itself instead of its name, where the call is one.
func (c *call) whole() {
	if c.script != nil {
		c.args[0], c.args[1] = "eval", c.script.source
	}
}
