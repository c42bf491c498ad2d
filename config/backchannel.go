package config

import "time"

func (b BackChannelLogout) check(k *checker) {
	k.duration("backchannel_logout.timeout", b.Timeout, 100*time.Millisecond, 30*time.Second)
	k.number("backchannel_logout.concurrency", b.Concurrency, 1, 256)
	k.duration("backchannel_logout.give_up", b.GiveUp, time.Minute, 30*24*time.Hour)
}
