package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// BenchmarkRedisCPU is BenchmarkServerCPU with the sessions in Redis: the floor is a bare go-redis
// script, one signature and bare HTTP. Redis' own processor time is in neither.
//
//	go test ./cmd/signet/e2e -run '^$' -bench RedisCPU -benchtime 1x
func BenchmarkRedisCPU(b *testing.B) {
	server := redistest.Start(b, redistest.Config{})
	f := benchFleet(b, 1, server)
	pid, base := f.replicas[0].cmd.Process.Pid, "http://"+f.replicas[0].address
	floor, floorAddress := benchFloor(b, server.Addr())
	app := url.Values{"client_id": {f.app.ClientID}, "client_secret": {f.app.ClientSecret}}
	floorApp := url.Values{"client_id": {"web"}, "client_secret": {floorSecret}}
	b.Run("client_credentials", func(b *testing.B) {
		compareCPU(b, 16, pid, floor, repeatForm(base, with(app, "grant_type", "client_credentials")),
			repeatForm(floorAddress, with(floorApp, "grant_type", "client_credentials")))
	})
	b.Run("refresh", func(b *testing.B) {
		compareCPU(b, 16, pid, floor, refreshing(b, f.app, base),
			repeatForm(floorAddress, with(floorApp, "grant_type", "refresh_token", "refresh_token", strings.Repeat("x", 190))))
	})
}

// BenchmarkReplicas prints how many refreshes a second 1, 2 and 4 replicas on one Redis answer. The
// load generator and Redis share the machine with them, so more replicas than it has cores to spare
// show only that they do not stand in each other's way.
//
//	go test ./cmd/signet/e2e -run '^$' -bench Replicas -benchtime 1x
func BenchmarkReplicas(b *testing.B) {
	for _, n := range []int{1, 2, 4} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			server := redistest.Start(b, redistest.Config{})
			f := benchFleet(b, n, server)
			var bases []string
			for _, r := range f.replicas {
				bases = append(bases, "http://"+r.address)
			}
			b.ReportMetric(perSecond(b, 16, refreshing(b, f.app, bases...)), "refreshes/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// benchFleet is startFleet with the program as users build it, without the race detector.
func benchFleet(b *testing.B, n int, server *redistest.Server) *fleet {
	b.Helper()
	path := buildSignet(b)
	b.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return startFleet(b, n, "redis://"+server.Addr())
}

func perSecond(b *testing.B, workers int, work func(int) func() error) (rate float64) {
	b.Helper()
	underLoad(b, workers, work, func(requests func() int64) {
		before, begun := requests(), time.Now()
		time.Sleep(3 * time.Second)
		rate = float64(requests()-before) / time.Since(begun).Seconds()
	})
	return rate
}
