package redistest

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestShiftClock(t *testing.T) {
	proxy := NewProxy(t, Start(t, Config{}).Addr())
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
