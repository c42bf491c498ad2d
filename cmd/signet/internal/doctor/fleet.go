package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signet/cmd/signet/internal/connect"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/server/admin/api"
	"signet/server/replica"
	"signet/store"
)

// examineFleet compares the configuration with the settings of running servers.
func (d *doctor) examineFleet(ctx context.Context, s store.Heartbeats, cfg config.Config) {
	beats, err := s.Beats(ctx, time.Now())
	if err != nil || len(beats) == 0 {
		return // problems of the store are other findings
	}
	same := 0
	for _, b := range beats {
		list := replica.Differences(cfg.Issuer, install.TimetableText(cfg), b)
		switch {
		case len(list) == 0:
			same++
		case b.Issuer != "" && b.Issuer != cfg.Issuer:
			d.note("replicas", stateProblem, fmt.Sprintf("replica %s runs with %s; all servers of one store need the same issuer", b.Replica, strings.Join(list, " ")))
		default:
			d.note("replicas", stateWarning, fmt.Sprintf("replica %s runs with %s; give all servers of one store the same timetable", b.Replica, strings.Join(list, " ")))
		}
	}
	if same == len(beats) {
		d.note("replicas", stateOK, fmt.Sprintf("%d running, with the settings of this configuration", same))
	}
}

// examineRunning asks the server of this configuration, if it runs, where it hashes passwords, and whether names collide.
func (d *doctor) examineRunning(ctx context.Context, cfg config.Config) {
	var status api.Status
	if connect.Socket(d.app, cfg.Admin.Socket).Call(ctx, api.ShowStatus.At(), nil, &status) != nil {
		return
	}
	if status.Ready.Usernames != "" {
		d.note("usernames", stateWarning, "several users have spellings of one name; the server's log names them")
	}
	if status.Ready.Hashing != "" {
		d.note("passwords", stateWarning, "the server hashes them itself, because their process does not run or does not answer: other requests are "+
			"slower while users log in; the server's log has the reason")
	}
}
