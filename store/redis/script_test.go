package redis

// scripts are all of them.
var scripts = []*script{
	rotateScript, startSessionScript, revokeSessionsScript, sweepSessionsScript,
	updateUserScript, restoreUserScript, deleteUserScript,
	takeNameScript, freeNameScript, announceCredentialScript, copyCredentialScript,
	createClientScript, updateClientScript, deleteClientScript,
	swapKeyringScript, revokeTokenScript, appendEventsScript, allowScript, decideScript, probeScript,
}
