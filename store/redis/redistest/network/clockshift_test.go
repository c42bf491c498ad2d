package network_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

func TestShiftClock(t *testing.T) {
	proxy := network.NewProxy(t, redistest.Start(t, redistest.Config{}).Addr())
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr(), Protocol: 2})
	defer client.Close()
	for _, by := range []time.Duration{0, time.Hour, -time.Hour} {
		proxy.ShiftClock(by)
		got, err := client.Time(t.Context()).Result()
		if off := time.Until(got) - by; err != nil || off.Abs() > 5*time.Second {
			t.Errorf("shifted by %v: got %v, %v", by, time.Until(got), err)
		}
	}
	if n := proxy.Counts().Shifted; n != 2 {
		t.Errorf("got %d answers changed, want 2", n)
	}
}
