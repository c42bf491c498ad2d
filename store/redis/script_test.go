package redis

import "signet/store/redis/conn"

// scripts are all of them.
var scripts = []*conn.Script{
	rotateScript, startSessionScript, sweepSessionsScript,
	updateUserScript, deleteUserScript,
	takeNameScript, freeNameScript, announceCredentialScript, copyCredentialScript,
	createClientScript, updateClientScript, deleteClientScript,
	swapKeyringScript, revokeTokenScript, appendEventsScript, readEventsScript, allowScript, decideScript, rewriteScript, noteMastersScript, recordLossScript, probeScript, conn.WriteScript,
	keepEventScript, keptEventsScript, revokeSessionScript,
}
