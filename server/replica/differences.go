package replica

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"signet/store"
)

// Replicas on one store must agree on the issuer and on the timetable of the signing keys: with two
// issuers half of the tokens are refused by every verifier, and with two timetables the promise of one
// is broken by the other. Each has its own in its heartbeat.

// Differences compares the configuration of a replica with the heartbeat of another. It returns the settings that
// differ, with the other's values. A setting that the heartbeat of an older version lacks is not compared.
func Differences(issuer, timetable string, other store.Heartbeat) (list []string) {
	if other.Issuer != "" && other.Issuer != issuer {
		list = append(list, "issuer="+other.Issuer)
	}
	if other.Timetable == "" || other.Timetable == timetable {
		return list
	}
	own := strings.Fields(timetable)
	for setting := range strings.FieldsSeq(other.Timetable) {
		if !slices.Contains(own, setting) {
			list = append(list, setting)
		}
	}
	return list
}

// compareSettings logs, once for each change, that others differ, and keeps their number for the metric.
func (r *Replica) compareSettings(beats []store.Heartbeat) {
	var lines []string
	for _, b := range beats {
		if b.Replica == r.cfg.ID {
			continue
		}
		if list := Differences(r.cfg.Issuer, r.cfg.Timetable, b); len(list) > 0 {
			lines = append(lines, fmt.Sprintf("replica %s has %s", b.Replica, strings.Join(list, " ")))
		}
	}
	r.differing.Store(int64(len(lines)))
	text := strings.Join(lines, "; ")
	r.mu.Lock()
	defer r.mu.Unlock()
	if text == r.difference {
		return
	}
	r.difference = text
	if text == "" {
		r.cfg.Log.Info("the replicas on this store have the same settings again")
		return
	}
	r.cfg.Log.Error("replicas on this store have different settings: give all of them one issuer and one timetable", slog.String("others", text),
		slog.String("issuer", r.cfg.Issuer), slog.String("timetable", r.cfg.Timetable), slog.String("replica", r.cfg.ID))
}
