package redis

// scripts are all of them.
var scripts = []*script{
	rotateScript, startSessionScript, sweepSessionsScript,
	updateUserScript, deleteUserScript,
	takeNameScript, freeNameScript, announceCredentialScript, copyCredentialScript,
	createClientScript, updateClientScript, deleteClientScript,
	swapKeyringScript, revokeTokenScript, appendEventsScript, readEventsScript, allowScript, decideScript, rewriteScript, noteMastersScript, recordLossScript, probeScript, writeScript,
	keepEventScript, keptEventsScript, revokeSessionScript,
}
