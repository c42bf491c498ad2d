package network

import (
	"regexp"
	"strconv"
	"time"
)

// ShiftClock makes the server's clock wrong by d: the answers to TIME that come through the proxy say
// so. They are looked for in each piece of data as it arrives, so not inside TLS.
func (p *Proxy) ShiftClock(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.shift = d
}

// timeReply is an answer of TIME: Unix seconds, which have ten digits for a long while, and microseconds.
var timeReply = regexp.MustCompile(`\*2\r\n\$10\r\n(\d{10})\r\n\$[1-6]\r\n\d{1,6}\r\n`)

// shiftTimes changes the answers of TIME in data and returns how many there were.
func shiftTimes(data []byte, by time.Duration) (n int) {
	for _, at := range timeReply.FindAllSubmatchIndex(data, -1) {
		digits := data[at[2]:at[3]]
		seconds, err := strconv.ParseInt(string(digits), 10, 64)
		if shifted := strconv.FormatInt(seconds+int64(by/time.Second), 10); err == nil && len(shifted) == len(digits) {
			copy(digits, shifted)
			n++
		}
	}
	return n
}
