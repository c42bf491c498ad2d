package redis

import (
	"signet/store/redis/conn"
	"signet/store/redis/script"
)

// scripts are all of them.
var scripts = []*conn.Script{
	script.Rotate, script.StartSession, script.RedeemCode, script.SweepSessions,
	script.UpdateUser, script.DeleteUser,
	script.TakeName, script.FreeName, script.AnnounceCredential, script.CopyCredential,
	script.CreateClient, script.UpdateClient, script.DeleteClient,
	script.SwapKeyring, script.RevokeToken, script.AppendEvents, script.ReadEvents, script.Allow, script.Decide, script.Rewrite, script.NoteMasters, script.RecordLoss, script.Probe, conn.WriteScript,
	script.AddLogouts, script.ClaimLogouts, script.FinishLogout, script.PostponeLogout, script.LogoutQueue,
	script.KeepEvent, script.KeptEvents, script.RevokeSession,
}
