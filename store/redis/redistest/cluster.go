package redistest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"signet/store/redis/redistest/network"
)

const slots = 16384

// Cluster is a Redis Cluster. Its servers can be broken one by one.
type Cluster struct {
	Nodes []*Server // the masters it began with, then their replicas

	t testing.TB
}

// StartCluster starts masters, which share the slots evenly, each with replicas, and returns when
// all nodes have met and serve. A master counts as failed after two seconds, unless conf,
// which is added to each node's redis.conf, has another cluster-node-timeout.
func StartCluster(t testing.TB, masters, replicasPerMaster int, conf ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for range masters * (1 + replicasPerMaster) {
		config := Config{Conf: conf}
		c.Nodes = append(c.Nodes, start(t, serverProgram, config, func(port int) []string {
			return append([]string{
				"cluster-enabled yes",
				"cluster-config-file nodes.conf",
				"cluster-node-timeout 2000",
				fmt.Sprint("cluster-port ", network.FreePort(t)), // ours plus 10000 may be taken
			}, serverConf(config, port)...)
		}))
	}
	c.form(masters)
	return c
}

func (c *Cluster) form(masters int) {
	c.t.Helper()
	for i, node := range c.Nodes {
		// Each with an epoch of its own, or they would first have to settle that among themselves.
		node.Do("cluster", "set-config-epoch", i+1)
		if i < masters {
			node.Do("cluster", "addslotsrange", i*slots/masters, (i+1)*slots/masters-1)
		}
		for _, other := range c.Nodes[:i] {
			bus := fmt.Sprint(other.Do("config", "get", "cluster-port").([]any)[1])
			node.Do("cluster", "meet", "127.0.0.1", other.port, bus)
		}
	}
	Wait(c.t, "the nodes to meet", func() error { return c.agree(0) })
	for i, node := range c.Nodes[masters:] {
		node.Do("cluster", "replicate", nodeID(c.Nodes[i%masters]))
	}
	Wait(c.t, "the cluster to serve", func() error { return c.ready(len(c.Nodes) - masters) })
}

// agree returns nil when every node sees all nodes as healthy, and this many of them as replicas.
func (c *Cluster) agree(replicas int) error {
	for _, node := range c.Nodes {
		view, err := view(node)
		if err != nil {
			return err
		}
		var healthy, following int
		for _, n := range view {
			if n.linked && !n.has("handshake") && !n.has("noaddr") && !n.has("fail") && !n.has("fail?") {
				healthy++
			}
			if n.has("slave") {
				following++
			}
		}
		if healthy != len(c.Nodes) || following != replicas {
			return fmt.Errorf("%s sees %d healthy nodes, %d of them replicas", node.Addr(), healthy, following)
		}
	}
	return nil
}

func (c *Cluster) ready(replicas int) error {
	if err := c.agree(replicas); err != nil {
		return err
	}
	for _, node := range c.Nodes {
		reply, err := node.Try("cluster", "info")
		if err != nil {
			return err
		}
		if info := parseInfo(fmt.Sprint(reply)); info["cluster_state"] != "ok" || info["cluster_slots_ok"] != strconv.Itoa(slots) {
			return fmt.Errorf("%s is in state %s, with %s slots", node.Addr(), info["cluster_state"], info["cluster_slots_ok"])
		}
		if err := errors.Join(synced(node), followed(node)); err != nil {
			return err
		}
	}
	return nil
}

// Addrs returns the nodes' addresses, for a client to begin with.
func (c *Cluster) Addrs() []string {
	var list []string
	for _, node := range c.Nodes {
		list = append(list, node.Addr())
	}
	return list
}

// Options returns what a client needs to connect. go-redis learns of a new master when it is sent
// elsewhere, but a dead master redirects no client, and by default the client looks again only
// after a minute. So it looks each half second here.
func (c *Cluster) Options() *redis.ClusterOptions {
	return &redis.ClusterOptions{
		Addrs:                      c.Addrs(),
		ClusterStateReloadInterval: 500 * time.Millisecond,
		MaintNotificationsConfig:   &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Client returns a new client of the cluster, which is closed when the test ends.
func (c *Cluster) Client() *redis.ClusterClient {
	client := redis.NewClusterClient(c.Options())
	c.t.Cleanup(func() { client.Close() })
	return client
}

// NodeForSlot returns the master that serves a slot.
func (c *Cluster) NodeForSlot(slot int) *Server {
	c.t.Helper()
	var owner *Server
	Wait(c.t, fmt.Sprint("a master for slot ", slot), func() error {
		owner = c.owner(slot)
		if owner == nil {
			return errors.New("no node serves it")
		}
		return nil
	})
	return owner
}

// owner returns the node that serves the slot by its own view. A master that was replaced
// claims it too until it learns of that; its epoch is the lower one.
func (c *Cluster) owner(slot int) *Server {
	var owner *Server
	var epoch int
	for _, node := range c.Nodes {
		view, err := view(node)
		if err != nil {
			continue
		}
		for _, n := range view {
			if n.has("myself") && n.has("master") && n.serves(slot) && (owner == nil || n.epoch > epoch) {
				owner, epoch = node, n.epoch
			}
		}
	}
	return owner
}

// Replicas returns the nodes that follow a master, according to itself.
func (c *Cluster) Replicas(master *Server) []*Server {
	c.t.Helper()
	view, err := view(master)
	if err != nil {
		c.t.Fatal(err)
	}
	var list []*Server
	for _, n := range view {
		for _, node := range c.Nodes {
			if n.addr == node.Addr() && n.master == nodeID(master) {
				list = append(list, node)
			}
		}
	}
	return list
}

// KillMaster kills the master that serves a slot, and returns it.
func (c *Cluster) KillMaster(slot int) *Server {
	c.t.Helper()
	master := c.NodeForSlot(slot)
	master.Kill()
	return master
}

// WaitForFailover returns the master that serves a slot instead of old, once all nodes that answer
// serve again and see it.
func (c *Cluster) WaitForFailover(slot int, old *Server) *Server {
	c.t.Helper()
	var now *Server
	Wait(c.t, fmt.Sprintf("another master than %s for slot %d", old.Addr(), slot), func() error {
		now = c.owner(slot)
		if now == nil || now == old {
			return errors.New("there is none")
		}
		return c.allKnow(slot, now)
	})
	return now
}

// allKnow returns nil when all nodes that answer serve, and have the owner of the slot in their view.
func (c *Cluster) allKnow(slot int, owner *Server) error {
	for _, node := range c.Nodes {
		if !node.responsive() {
			continue
		}
		view, err := view(node)
		if err != nil {
			return err
		}
		for _, n := range view {
			if n.serves(slot) && n.addr != owner.Addr() {
				return fmt.Errorf("%s still has %s", node.Addr(), n.addr)
			}
		}
		info, err := node.Try("cluster", "info")
		if err != nil {
			return err
		}
		if state := parseInfo(fmt.Sprint(info))["cluster_state"]; state != "ok" {
			return fmt.Errorf("%s is in state %s", node.Addr(), state)
		}
	}
	return nil
}

// nodeID returns the node's name in the cluster.
func nodeID(s *Server) string {
	s.t.Helper()
	return fmt.Sprint(s.Do("cluster", "myid"))
}

// knownNode is one line of CLUSTER NODES: the view that a node has of another, or of itself.
type knownNode struct {
	addr, master string // master is an id, or "-"
	flags        []string
	epoch        int
	linked       bool
	slots        []string // "7" or "0-5460"; those on the move, in brackets, are left out
}

func view(s *Server) ([]knownNode, error) {
	reply, err := s.Try("cluster", "nodes")
	if err != nil {
		return nil, err
	}
	var list []knownNode
	for line := range strings.Lines(fmt.Sprint(reply)) {
		// id ip:port@bus,host flags master ping-sent pong-received epoch link slots...
		f := strings.Fields(line)
		if len(f) < 8 {
			return nil, fmt.Errorf("a line of CLUSTER NODES: %q", line)
		}
		addr, _, _ := strings.Cut(f[1], "@")
		epoch, err := strconv.Atoi(f[6])
		if err != nil {
			return nil, fmt.Errorf("a line of CLUSTER NODES: %q", line)
		}
		n := knownNode{addr: addr, flags: strings.Split(f[2], ","), master: f[3], epoch: epoch, linked: f[7] == "connected"}
		if host, port, err := net.SplitHostPort(addr); err == nil && host == "" {
			n.addr = net.JoinHostPort("127.0.0.1", port) // a node that was never met by address
		}
		for _, r := range f[8:] {
			if !strings.HasPrefix(r, "[") {
				n.slots = append(n.slots, r)
			}
		}
		list = append(list, n)
	}
	return list, nil
}

func (n knownNode) has(flag string) bool { return slices.Contains(n.flags, flag) }

func (n knownNode) serves(slot int) bool {
	for _, r := range n.slots {
		first, last, isRange := strings.Cut(r, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.Atoi(first)
		b, errB := strconv.Atoi(last)
		if errA == nil && errB == nil && a <= slot && slot <= b {
			return true
		}
	}
	return false
}
