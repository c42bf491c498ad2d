package redis

import (
	_ "embed"

	"signet/store/redis/conn"
)

var (
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

	rotateScript        = conn.NewScript(recordLua+rotateLua, conn.ListReply)
	startSessionScript  = conn.NewScript(outboxLua+recordLua+startSessionLua, conn.ListReply)
	sweepSessionsScript = conn.NewScript(recordLua+sweepSessionsLua, conn.ListReply)
	updateUserScript    = conn.NewScript(outboxLua+recordLua+updateUserLua, conn.ListReply)
	deleteUserScript    = conn.NewScript(outboxLua+deleteUserLua, conn.TextReply)
	revokeSessionScript = conn.NewScript(outboxLua+revokeSessionLua, conn.NumberReply)

	takeNameScript           = conn.NewScript(outboxLua+takeNameLua, conn.TextReply)
	freeNameScript           = conn.NewScript(freeNameLua, conn.NumberReply)
	announceCredentialScript = conn.NewScript(announceCredentialLua, conn.NumberReply)
	copyCredentialScript     = conn.NewScript(copyCredentialLua, conn.NumberReply)

	createClientScript = conn.NewScript(outboxLua+createClientLua, conn.TextReply)
	rewriteScript      = conn.NewScript(rewriteLua, conn.NumberReply)
	updateClientScript = conn.NewScript(outboxLua+updateClientLua, conn.TextReply)
	deleteClientScript = conn.NewScript(outboxLua+deleteClientLua, conn.TextReply)

	swapKeyringScript  = conn.NewScript(outboxLua+swapKeyringLua, conn.TextReply)
	revokeTokenScript  = conn.NewScript(outboxLua+revokeTokenLua, conn.NumberReply)
	appendEventsScript = conn.NewScript(appendEventsLua, conn.NumberReply)
	keepEventScript    = conn.NewScript(outboxLua+keepEventLua, conn.NumberReply)
	keptEventsScript   = conn.NewScript(recordLua+keptEventsLua, conn.ListReply)
	allowScript        = conn.NewScript(tallyLua+allowLua, conn.ListReply)
	decideScript       = conn.NewScript(tallyLua+decideLua, conn.ListReply)
	readEventsScript   = conn.NewReadScript(readEventsLua, conn.NestedReply)
	noteMastersScript  = conn.NewScript(noteMastersLua, conn.NumberReply)
	recordLossScript   = conn.NewScript(recordLossLua, conn.NumberReply)
	probeScript        = conn.NewScript(probeLua, conn.TextReply)
)
