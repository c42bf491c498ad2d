package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Replicated is a master with replicas and no Sentinel: a test promotes by hand.
type Replicated struct {
	Master   *Server
	Replicas []*Server
}

// StartReplicated starts a master and replicas, all configured by c, and returns when they are in sync.
func StartReplicated(t testing.TB, c Config, replicas int) *Replicated {
	t.Helper()
	r := &Replicated{Master: Start(t, c)}
	follower := c
	follower.Dir = ""
	follower.Conf = append(slices.Clone(c.Conf), fmt.Sprint("replicaof 127.0.0.1 ", r.Master.port))
	for range replicas {
		r.Replicas = append(r.Replicas, Start(t, follower))
	}
	WaitInSync(t, r.Master, r.Replicas...)
	return r
}

// WaitInSync returns when all replicas follow master and have what it had at the call.
func WaitInSync(t testing.TB, master *Server, replicas ...*Server) {
	t.Helper()
	Wait(t, "the replicas to be in sync", func() error { return inSync(master, replicas) })
}

func inSync(master *Server, replicas []*Server) error {
	want, err := offset(replication(master)["master_repl_offset"])
	if err != nil {
		return fmt.Errorf("the offset of %s: %w", master.Addr(), err)
	}
	if err := followed(master); err != nil {
		return err
	}
	for _, r := range replicas {
		info := replication(r)
		if info["role"] != "slave" || info["master_port"] != strconv.Itoa(master.port) {
			return fmt.Errorf("%s does not follow %s", r.Addr(), master.Addr())
		}
		if err := synced(r); err != nil {
			return err
		}
		got, err := offset(info["slave_repl_offset"])
		if err != nil {
			return err
		}
		if got < want {
			return fmt.Errorf("%s is at %d, want %d", r.Addr(), got, want)
		}
	}
	return nil
}

func offset(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }

// synced returns nil for a replica with a working link to its master, and for a master.
func synced(s *Server) error {
	info := replication(s)
	if info["role"] == "master" || info["master_link_status"] == "up" {
		return nil
	}
	return fmt.Errorf("%s, %q: link to its master is %q", s.Addr(), info["role"], info["master_link_status"])
}

// followed returns nil once a master has all its replicas online. A replica may think that it is in
// sync before that, but WAIT leaves it out.
func followed(s *Server) error {
	for field, about := range replication(s) {
		if strings.HasPrefix(field, "slave") && strings.Contains(about, "state=") && !strings.Contains(about, "state=online") {
			return fmt.Errorf("%s has a replica that is not online: %s", s.Addr(), about)
		}
	}
	return nil
}
