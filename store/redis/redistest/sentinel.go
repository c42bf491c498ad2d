package redistest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// SentinelConfig is what StartSentinel starts. The zero value is a master, two replicas and three
// sentinels, two of which must agree, without passwords.
type SentinelConfig struct {
	Server           Config        // of the master and the replicas
	Replicas         int           // zero means 2
	Sentinels        int           // zero means 3
	Quorum           int           // zero means 2
	DownAfter        time.Duration // how long a master is silent before it is down; zero means 1 second
	FailoverTimeout  time.Duration // zero means 5 seconds
	SentinelPassword string        // of the sentinels themselves; empty means none
}

// Sentinels are sentinels and what they watch. Each process can be broken.
type Sentinels struct {
	Servers   []*Server // the master it began with, then the replicas
	Sentinels []*Server

	t      testing.TB
	config SentinelConfig
}

const masterName = "signet"

// StartSentinel starts a watched master, and returns when the replicas are in sync and
// each sentinel has found all replicas and all other sentinels: from then on an election can succeed.
func StartSentinel(t testing.TB, c SentinelConfig) *Sentinels {
	t.Helper()
	c.Replicas, c.Sentinels, c.Quorum = cmp.Or(c.Replicas, 2), cmp.Or(c.Sentinels, 3), cmp.Or(c.Quorum, 2)
	c.DownAfter, c.FailoverTimeout = cmp.Or(c.DownAfter, time.Second), cmp.Or(c.FailoverTimeout, 5*time.Second)
	if c.Server.TLS != nil {
		t.Fatal("StartSentinel: TLS between sentinels is not provided for")
	}
	r := StartReplicated(t, c.Server, c.Replicas)
	s := &Sentinels{Servers: append([]*Server{r.Master}, r.Replicas...), t: t, config: c}
	for range c.Sentinels {
		sentinel := start(t, sentinelProgram, Config{Password: c.SentinelPassword}, s.conf)
		// By default they look around every ten seconds, and a master that comes back is made a
		// replica after two such looks.
		sentinel.Do("sentinel", "debug", "info-period", 1000, "publish-period", 500)
		s.Sentinels = append(s.Sentinels, sentinel)
	}
	Wait(t, "the sentinels to find all servers", s.complete)
	return s
}

func (s *Sentinels) conf(port int) []string {
	c := s.config
	lines := append(endpointConf(nil, port),
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", masterName, s.Servers[0].port, c.Quorum),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", masterName, c.DownAfter.Milliseconds()),
		fmt.Sprintf("sentinel failover-timeout %s %d", masterName, c.FailoverTimeout.Milliseconds()),
		fmt.Sprintf("sentinel parallel-syncs %s %d", masterName, c.Replicas),
	)
	if c.Server.Password != "" {
		lines = append(lines, fmt.Sprintf("sentinel auth-pass %s %s", masterName, c.Server.Password))
	}
	if c.SentinelPassword != "" {
		lines = append(lines, "requirepass "+c.SentinelPassword, "sentinel sentinel-pass "+c.SentinelPassword)
	}
	return lines
}

// complete returns nil when every sentinel sees all replicas and all other sentinels.
func (s *Sentinels) complete() error {
	for _, sentinel := range s.Sentinels {
		reply, err := sentinel.Try("sentinel", "master", masterName)
		if err != nil {
			return err
		}
		about := pairs(reply)
		replicas, others := about["num-slaves"], about["num-other-sentinels"]
		if replicas != strconv.Itoa(s.config.Replicas) || others != strconv.Itoa(s.config.Sentinels-1) || about["flags"] != "master" {
			return fmt.Errorf("%s has %s replicas, %s other sentinels, and the master as %q", sentinel.Addr(), replicas, others, about["flags"])
		}
		if reply, err = sentinel.Try("sentinel", "replicas", masterName); err != nil {
			return err
		}
		for _, replica := range reply.([]any) {
			// Before the first INFO it would not be chosen.
			if about := pairs(replica); about["flags"] != "slave" || about["master-link-status"] != "ok" {
				return fmt.Errorf("%s has replica %s as %q, its link as %q", sentinel.Addr(), about["name"], about["flags"], about["master-link-status"])
			}
		}
	}
	return nil
}

// pairs makes a map of a list of names and values.
func pairs(reply any) map[string]string {
	fields := map[string]string{}
	list, _ := reply.([]any)
	for pair := range slices.Chunk(list, 2) {
		if len(pair) == 2 {
			fields[fmt.Sprint(pair[0])] = fmt.Sprint(pair[1])
		}
	}
	return fields
}

// MasterName is what the sentinels call the master.
func (s *Sentinels) MasterName() string { return masterName }

// Addrs returns the addresses of the sentinels.
func (s *Sentinels) Addrs() []string {
	var list []string
	for _, sentinel := range s.Sentinels {
		list = append(list, sentinel.Addr())
	}
	return list
}

// Options returns what a client needs to connect.
func (s *Sentinels) Options() *redis.FailoverOptions {
	return &redis.FailoverOptions{
		MasterName:       masterName,
		SentinelAddrs:    s.Addrs(),
		SentinelPassword: s.config.SentinelPassword,
		Password:         s.config.Server.Password,
	}
}

// Client returns a new client that asks the sentinels for the master. It is closed when the test
// ends.
func (s *Sentinels) Client() *redis.Client {
	client := redis.NewFailoverClient(s.Options())
	s.t.Cleanup(func() { client.Close() })
	return client
}

// Master returns the master of now, once all sentinels that answer agree.
func (s *Sentinels) Master() *Server {
	s.t.Helper()
	var master *Server
	Wait(s.t, "the sentinels to agree on a master", func() (err error) {
		master, err = s.master()
		return err
	})
	return master
}

func (s *Sentinels) master() (*Server, error) {
	var addr string
	for _, sentinel := range s.Sentinels {
		if !sentinel.responsive() {
			continue
		}
		reply, err := sentinel.Try("sentinel", "get-master-addr-by-name", masterName)
		if err != nil {
			return nil, err
		}
		list, ok := reply.([]any)
		if !ok || len(list) != 2 {
			return nil, fmt.Errorf("%s has no master: %v", sentinel.Addr(), reply)
		}
		said := fmt.Sprint(list[0], ":", list[1])
		if addr != "" && said != addr {
			return nil, fmt.Errorf("one sentinel has master %s, another %s", addr, said)
		}
		addr = said
	}
	for _, server := range s.Servers {
		if server.Addr() == addr {
			return server, nil
		}
	}
	return nil, fmt.Errorf("the sentinels have master %q", addr)
}

// Replicas returns the servers that are not the master now, whether they run or not.
func (s *Sentinels) Replicas() []*Server {
	s.t.Helper()
	master := s.Master()
	return slices.DeleteFunc(slices.Clone(s.Servers), func(server *Server) bool { return server == master })
}

// WaitForFailover returns the master that has replaced old, once all sentinels that answer agree
// and are done, and it has that role itself. Clients may have found it a little earlier. Zero for atMost
// means 30 seconds.
func (s *Sentinels) WaitForFailover(old *Server, atMost time.Duration) *Server {
	s.t.Helper()
	var now *Server
	waitFor(s.t, "another master than "+old.Addr(), cmp.Or(atMost, patience), func() (err error) {
		now, err = s.master()
		if err != nil {
			return err
		}
		if now == old {
			return errors.New("it is still the master")
		}
		if role := replication(now)["role"]; role != "master" {
			return fmt.Errorf("%s is still a %s", now.Addr(), role)
		}
		return s.settled()
	})
	return now
}

// settled returns nil when no sentinel reports the master as down or being replaced. On a busy
// machine they may do so of a new master at once, and elect again.
func (s *Sentinels) settled() error {
	for _, sentinel := range s.Sentinels {
		if !sentinel.responsive() {
			continue
		}
		reply, err := sentinel.Try("sentinel", "master", masterName)
		if err != nil {
			return err
		}
		if flags := pairs(reply)["flags"]; flags != "master" {
			return fmt.Errorf("%s sees the master as %q", sentinel.Addr(), flags)
		}
	}
	return nil
}

// WaitForReplicas returns when all other servers that answer follow the master and have what it had
// at the call. After a sentinel was restarted this may take half a minute.
func (s *Sentinels) WaitForReplicas() {
	s.t.Helper()
	waitFor(s.t, "the replicas to be in sync", 2*patience, func() error {
		master, err := s.master() // each time, as it may change meanwhile
		if err != nil {
			return err
		}
		var replicas []*Server
		for _, server := range s.Servers {
			if server != master && server.responsive() {
				replicas = append(replicas, server)
			}
		}
		return inSync(master, replicas)
	})
}
