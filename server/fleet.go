package server

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"signet/store"
)

// Replicas on one store must agree on the issuer and on the timetable of the signing keys: with two
// issuers half of the tokens are refused by every verifier, and with two timetables the promise of one
// is broken by the other. Each says in its heartbeat what it has.

// Differences compares the configuration of a replica with what the heartbeat of another says. It names
// the settings that differ, with the other's values. What an older version does not say is not compared.
func Differences(issuer, timetable string, other store.Heartbeat) (list []string) {
	if other.Issuer != "" && other.Issuer != issuer {
		list = append(list, "issuer="+other.Issuer)
	}
	if other.Timetable == "" || other.Timetable == timetable {
		return list
	}
	own := strings.Fields(timetable)
	for _, setting := range strings.Fields(other.Timetable) {
		if !slices.Contains(own, setting) {
			list = append(list, setting)
		}
	}
	return list
}

// compareFleet logs, once for each change, that others differ, and keeps their number for the metric.
func (s *Server) compareFleet(beats []store.Heartbeat) {
	var lines []string
	for _, b := range beats {
		if b.Replica == s.replica {
			continue
		}
		if list := Differences(s.cfg.Issuer, s.cfg.Timetable, b); len(list) > 0 {
			lines = append(lines, fmt.Sprintf("replica %s has %s", b.Replica, strings.Join(list, " ")))
		}
	}
	s.heart.differing.Store(int64(len(lines)))
	text := strings.Join(lines, "; ")
	s.heart.mu.Lock()
	defer s.heart.mu.Unlock()
	if text == s.heart.difference {
		return
	}
	s.heart.difference = text
	if text == "" {
		s.log.Info("the replicas on this store have the same settings again")
		return
	}
	s.log.Error("replicas on this store have different settings: give all of them one issuer and one timetable", slog.String("others", text),
		slog.String("issuer", s.cfg.Issuer), slog.String("timetable", s.cfg.Timetable), slog.String("replica", s.replica))
}
