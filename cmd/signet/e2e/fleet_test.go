package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signet/store/redis/redistest"
)

// anotherDir is a directory with the replica's configuration and master key.
func (f *fleet) anotherDir() string {
	f.t.Helper()
	dir := shortDir(f.t)
	for _, name := range []string{"signet.yaml", "master.key"} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(f.replicas[0].demo.AdminSocket), name))
		if err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	return dir
}

// A server with another issuer does not join; one with another timetable does, and all of them say so.
func TestFleetWithDifferentSettings(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, redistest.Config{})
	f := startFleet(t, 1, "redis://"+redis.Addr())
	environ := f.replicas[0].cmd.Env

	odd := exec.Command(signetBinary(t), "serve", "--config", filepath.Join(f.anotherDir(), "signet.yaml"))
	odd.Env = append(slices.Clip(environ), "SIGNET_ISSUER=https://other.example.com")
	out, err := odd.CombinedOutput()
	if odd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "signet: serve: issuer: it is https://other.example.com here, and replica ") ||
		!strings.Contains(string(out), "has "+f.app.Issuer) {
		t.Errorf("with another issuer: got %v\n%s", err, out)
	}

	second := startReplica(t, f.anotherDir(), append(slices.Clip(environ), "SIGNET_KEYS_ACTIVE=20d"))
	waitFor(t, "the warning", func() bool {
		log := second.stderr.String()
		return strings.Contains(log, "replicas on this store have different settings") && strings.Contains(log, "has keys.active=720h0m0s")
	})
	if got := second.metrics(); !strings.Contains(got, "signet_replicas_differing 1\n") {
		t.Errorf("the metric is not there:\n%s", got)
	}
	doctor := exec.Command(signetBinary(t), "doctor", "--config", filepath.Join(filepath.Dir(second.demo.AdminSocket), "signet.yaml"))
	doctor.Env = environ
	out, _ = doctor.CombinedOutput()
	if !strings.Contains(string(out), "runs with keys.active=480h0m0s; give all servers of one store the same timetable") {
		t.Errorf("doctor:\n%s", out)
	}
}
