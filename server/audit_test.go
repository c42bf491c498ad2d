package server_test

import (
	"fmt"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// What anybody can send without end is in the log, and pushes nothing off the trail.
func TestNoiseDoesNotFillTheTrail(t *testing.T) {
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = server.ThrottleConfig{PerClient: 1} })
	flood := func() {
		for i := range 30 {
			form(t, s, "/token", "grant_type=client_credentials").basic(fmt.Sprint("nobody", i), "x").do()
			form(t, s, "/token", "grant_typ=x").do()
			form(t, s, "/token", "grant_type=refresh_token", "refresh_token=x", "client_id=spa").do()
			form(t, s, "/token", "grant_type=client_credentials").basic(servertest.Other, "x").do() // throttled from the second on
		}
	}
	flood()
	s.Clock.Add(time.Minute)
	flood()
	login(t, s)
	trail(t, s, "login") // the last, so that all the others are there
	events, err := s.Store.Events(t.Context(), store.EventQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(events); n < 20 || n > 2*(4*10+4)+2 { // 10 a minute of each type and client, and a count of the rest
		t.Errorf("got %d events on the trail", n)
	}
}
