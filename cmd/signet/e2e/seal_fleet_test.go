package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store/redis/redistest"
)

// Somebody else with write access to the Redis of two servers makes an administrator and beats for a server
// that does not exist. Nobody gets in, and nothing stops.
func TestHostileRedisClient(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	f := startFleet(t, 2, "redis://"+server.Addr())
	attacker := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer attacker.Close()
	ctx := t.Context()

	admin := `{"client_id":"evil","public":false,"secrets":[{"hash":"` + "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=" + `","created_at":"2026-01-01T00:00:00Z"}],` +
		`"grants":["client_credentials"],"scopes":["signet:admin"],"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}`
	if err := attacker.HSet(ctx, "signet:clients:{c}", "evil", admin).Err(); err != nil {
		t.Fatal(err)
	}
	attacker.Set(ctx, "signet:clients:{c}:version", "other", 0)
	ahead := time.Now().Add(20 * time.Minute).UTC().Format(time.RFC3339)
	for _, replica := range []string{"x", "y", "z"} {
		attacker.HSet(ctx, "signet:install:{i}:beats", replica, `{"replica":"`+replica+`","keyring_version":9,"at":"`+ahead+`","until":"2099-01-01T00:00:00Z"}`)
	}
	for _, r := range f.replicas {
		waitFor(t, "the refusal of the client", func() bool { // "test" is the secret that hashes so
			status, _, body, err := r.post("/token", map[string][]string{"grant_type": {"client_credentials"}, "client_id": {"evil"}, "client_secret": {"test"}, "scope": {"signet:admin"}})
			if err != nil || status == 200 {
				t.Fatalf("got %d %v, %v", status, body, err)
			}
			return status == 503
		})
		if status, _, body, err := r.post("/token", map[string][]string{"grant_type": {"password"}, "username": {f.app.Username}, "password": {f.app.Password},
			"client_id": {f.app.ClientID}, "client_secret": {f.app.ClientSecret}}); err != nil || status != 200 {
			t.Errorf("a login: got %d %v, %v", status, body, err)
		}
		if metrics := r.metrics(); !strings.Contains(metrics, `signet_store_forged_records_total{kind="client"}`) {
			t.Errorf("the metric is not there")
		}
		if log := r.stderr.String(); !strings.Contains(log, `a record of the store does not verify`) || !strings.Contains(log, `evil`) {
			t.Errorf("the log does not name the record:\n%s", log)
		}
	}
	doctor := exec.Command(signetBinary(t), "doctor", "--config", strings.TrimSuffix(f.replicas[0].demo.AdminSocket, "admin.sock")+"signet.yaml")
	doctor.Env = f.replicas[0].cmd.Env
	if out, _ := doctor.CombinedOutput(); !bytes.Contains(out, []byte(`client "evil"`)) {
		t.Errorf("doctor does not name the record:\n%s", out)
	}
}
