package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"signet/store/redis/conn"
)

// Finding is a way in which a server is set up such that something can be lost.
type Finding struct {
	Server string // its address
	Lacks  string // what is missing
	Loses  string // what can be lost by that, and what to do
}

func (f Finding) String() string { return f.Server + ": " + f.Lacks + ": " + f.Loses }

// Check asks every master how it is set up, and answers what is missing for a store that must not
// lose anything. Servers that cannot be asked are an error that wraps store.ErrUnavailable.
func (s *Store) Check(ctx context.Context) ([]Finding, error) {
	masters, err := s.deps.Conn.Masters(ctx)
	if err != nil {
		return nil, conn.Unavailable("looking at the servers", err)
	}
	var all []Finding
	for _, m := range masters {
		for _, check := range []func(info map[string]string) (lacks, loses string){
			checkVersion, checkRole, checkAppendOnly, checkEviction, checkReplicas, checkMinReplicas,
		} {
			if lacks, loses := check(m.Fields); lacks != "" {
				all = append(all, Finding{m.Name(), lacks, loses})
			}
		}
	}
	all = append(all, checkFsync(ctx, s.deps.Conn)...)
	all = append(all, checkConfirmation(masters, s.cfg.WaitReplicas)...)
	all = append(all, checkClock(ctx, s.deps.Conn)...)
	slices.SortFunc(all, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

// least is the oldest version that is known to work; Valkey reports 7.2.4 for the sake of old clients.
var least = [2]int{6, 2}

func checkVersion(info map[string]string) (lacks, loses string) {
	version := info["redis_version"]
	if info["valkey_version"] != "" {
		return "", ""
	}
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err == nil && (major > least[0] || major == least[0] && minor >= least[1]) {
		return "", ""
	}
	return fmt.Sprintf("it is version %q", version), "Signet is tested with Redis 6.2 and later and with Valkey; commands may fail; upgrade it"
}

func checkRole(info map[string]string) (lacks, loses string) {
	if info["role"] == "master" {
		return "", ""
	}
	return "it is a replica", "it takes no writes, so no login and no refresh works; name its master, or use redis+sentinel://"
}

func checkAppendOnly(info map[string]string) (lacks, loses string) {
	switch {
	case info["aof_enabled"] != "1":
		return "appendonly is off", "a restart loses every session, user and revocation since the last snapshot; set appendonly yes"
	case info["aof_last_write_status"] == "err":
		return "it cannot write its append-only file", "a restart loses everything since then; look at its disk"
	}
	return "", ""
}

func checkEviction(info map[string]string) (lacks, loses string) {
	if policy := info["maxmemory_policy"]; policy != "noeviction" {
		return "maxmemory-policy is " + policy, "when memory is full it throws away sessions, users or the signing keys; set maxmemory-policy noeviction"
	}
	return "", ""
}

func checkReplicas(info map[string]string) (lacks, loses string) {
	if info["connected_slaves"] == "0" && info["role"] == "master" {
		return "it has no replica", "with its disk everything is lost, and while it is down no user can log in; add a replica, with Sentinel or in a cluster"
	}
	return "", ""
}

func checkMinReplicas(info map[string]string) (lacks, loses string) {
	n, _ := strconv.Atoi(info["connected_slaves"])
	if n > 0 && info["min_slaves_good_slaves"] == "" { // INFO has it only where min-replicas-to-write is set
		return "min-replicas-to-write is 0", "a master that is cut off goes on taking logins and refreshes that are lost when another takes over; " +
			"set min-replicas-to-write 1 and min-replicas-max-lag 10"
	}
	return "", ""
}

// checkConfirmation compares what is asked of replicas with how many there are.
func checkConfirmation(masters map[string]conn.Server, wait int) (all []Finding) {
	for _, m := range masters {
		have, _ := strconv.Atoi(m.Fields["connected_slaves"])
		switch {
		case have == 0:
		case wait == 0:
			all = append(all, Finding{m.Name(), "no replica is asked to confirm a revocation", "when a replica without it takes over, " +
				"what was revoked may be back; set redis.wait_replicas to 1"})
		case wait > have:
			all = append(all, Finding{m.Name(), fmt.Sprintf("it has %d of the %d replicas that are to confirm a revocation", have, wait),
				"revocations, client assertions and changes of users, clients and keys are answered 503; add replicas, or lower redis.wait_replicas"})
		}
	}
	return all
}

// checkFsync reads what INFO does not have. A server that refuses CONFIG GET is no finding.
func checkFsync(ctx context.Context, cn *conn.Conn) (all []Finding) {
	var mu sync.Mutex
	_ = cn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		set, err := node.ConfigGet(ctx, "*appendfsync*").Result()
		if err != nil {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		where := conn.Server{Addr: node.Options().Addr}.Name()
		if set["appendfsync"] == "no" {
			all = append(all, Finding{where, "appendfsync is no",
				"a power failure loses what the system had not written yet, often half a minute; set appendfsync everysec, or always to lose nothing"})
		} else if set["no-appendfsync-on-rewrite"] == "yes" {
			all = append(all, Finding{where, "no-appendfsync-on-rewrite is yes",
				"nothing is synced while the append-only file is rewritten, so a power failure then loses up to half a minute; set it to no"})
		}
		return nil
	})
	return all
}

// checkClock finds servers that refuse TIME.
func checkClock(ctx context.Context, cn *conn.Conn) (all []Finding) {
	_ = cn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		if err := node.Time(ctx).Err(); conn.HasCode(err, "NOPERM") {
			all = append(all, Finding{conn.Server{Addr: node.Options().Addr}.Name(), "it may not be asked for the time",
				"commands have no deadline, so that one which comes late can end a session; and a replica of Signet whose clock is wrong is found out by the other replicas only, or not at all; grant +time"})
		}
		return nil
	})
	return all
}

// SyncPolicy is when a server writes its append-only file to the disk.
type SyncPolicy struct {
	Server string // its address
	Policy string // appendfsync: "always", "everysec" or "no"; empty where the server does not let us ask
}

// SyncPolicies returns the policy of every master whose append-only file is on. It decides what a kill
// of Redis or a power failure loses.
func (s *Store) SyncPolicies(ctx context.Context) ([]SyncPolicy, error) {
	var mu sync.Mutex
	var all []SyncPolicy
	err := s.deps.Conn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		set, err := node.ConfigGet(ctx, "append*").Result()
		if err != nil && !conn.IsReply(err) {
			return err
		}
		if err == nil && set["appendonly"] != "yes" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, SyncPolicy{conn.Server{Addr: node.Options().Addr}.Name(), set["appendfsync"]})
		return nil
	})
	if err != nil {
		return nil, conn.Unavailable("asking for appendfsync", err)
	}
	slices.SortFunc(all, func(a, b SyncPolicy) int { return strings.Compare(a.Server, b.Server) })
	return all, nil
}
