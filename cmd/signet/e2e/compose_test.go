package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const composeSpec = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"

// composeService is what these tests read of a service of deploy/compose.yaml.
type composeService struct {
	Image       string
	User        string
	Command     []string
	Environment map[string]string
	ReadOnly    bool     `json:"read_only"`
	CapDrop     []string `json:"cap_drop"`
	Configs     []struct{ Source, Target string }
	Secrets     []struct{ Source, Target string }
	Volumes     []struct{ Source, Target string }
	HealthCheck struct{ Test []string }
	Networks    map[string]*struct {
		Address string `json:"ipv4_address"`
	}
}

// composeServices checks deploy/compose.yaml against the Compose specification and returns its services.
func composeServices(t *testing.T) map[string]composeService {
	t.Helper()
	cmd := exec.Command(goTool(t, composeSpec), "--no-interpolation", "--format", "json", "compose.yaml")
	cmd.Dir = "../../../deploy"
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var model struct{ Services map[string]composeService }
	if err := json.Unmarshal(out, &model); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if want := []string{"haproxy", "init", "redis", "redis-replica", "signet-1", "signet-2"}; !slices.Equal(slices.Sorted(maps.Keys(model.Services)), want) {
		t.Fatalf("compose.yaml has the services %q, want %q", slices.Sorted(maps.Keys(model.Services)), want)
	}
	return model.Services
}

// TestCompose runs the services of deploy/compose.yaml without an engine: each in a network namespace of its own, at an address of the
// file's network, with the user, command, environment, files and volume that the file gives it, and with the secrets that the commands
// at its head make. Redis and HAProxy are those of this system, not those of the images. The read-only root and the engine's name
// server are not there: names are in /etc/hosts, and HAProxy resolves them once.
func TestCompose(t *testing.T) {
	services := composeServices(t)
	for name, s := range services {
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || s.User == "" || strings.HasPrefix(s.User, "0") {
			t.Errorf("%s may do more than it needs: %+v", name, s)
		}
	}
	if err := exec.Command("unshare", "--mount", "--pid", "--net", "--fork", "true").Run(); err != nil {
		needs(t, "root, which the machines of these tests are made with,", "sudo")
	}
	for _, tool := range []string{"redis-server", "haproxy", "curl", "jq", "ip", "setpriv", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			needs(t, tool, "apt-get install redis-server haproxy curl jq iproute2 util-linux openssl")
		}
	}
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{signetBinary(t), "../../../deploy/compose"} {
		if out, err := exec.Command("cp", "-r", from, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := machine(t, ctx, dir, composeScript(t, services))
	cmd.Env = append(os.Environ(), "MACHINE_NET=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		logs, _ := exec.Command("sh", "-c", "tail -n 20 '"+dir+"'/*.log").Output()
		t.Errorf("%v\n%s\n%s", err, out, logs)
	}
}

// secretCommands returns the commands at the head of the file that make the secrets.
func secretCommands(t *testing.T) string {
	t.Helper()
	text := page(t, "deploy/compose.yaml")
	_, text, ok := strings.Cut(text, "mkdir -m 711 secrets\n")
	text, _, ok2 := strings.Cut(text, "#   export SIGNET_IMAGE")
	if !ok || !ok2 {
		t.Fatal("the head of compose.yaml does not make secrets as it did")
	}
	return "mkdir -m 711 secrets\n" + strings.ReplaceAll(text, "#   ", "")
}

func composeScript(t *testing.T, services map[string]composeService) string {
	t.Helper()
	var s strings.Builder
	s.WriteString(`set -euxo pipefail
install -m 755 signet /signet
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=auth.example.com -addext subjectAltName=DNS:auth.example.com \
  -keyout privkey.pem -out fullchain.pem
mkdir -m 755 -p secrets /etc/signet /etc/redis /usr/local/etc/haproxy /volumes /run/secrets
rmdir secrets
chmod 755 /etc/redis # Debian's package closes it
cp fullchain.pem privkey.pem /
`)
	s.WriteString(strings.Replace(secretCommands(t), "cat fullchain.pem privkey.pem", "cat ../fullchain.pem ../privkey.pem", 1))
	s.WriteString(`
cp -p secrets/* /run/secrets/
ip link add inner type bridge
ip addr add 172.30.73.1/24 dev inner
ip link set inner up
host() { # NAME ADDRESS: a network namespace on the bridge
  ip netns add $1
  ip link add "$3" type veth peer name eth0 netns $1
  ip link set "$3" master inner up
  ip -n $1 addr add $2/24 dev eth0
  ip -n $1 link set eth0 up
  ip -n $1 link set lo up
  echo "$2 $1" >> /etc/hosts
}
`)
	for i, name := range slices.Sorted(maps.Keys(services)) {
		service := services[name]
		address := fmt.Sprintf("172.30.73.%d", 20+i)
		if n := service.Networks["inner"]; n != nil && n.Address != "" {
			address = n.Address
		}
		fmt.Fprintf(&s, "host %s %s veth%d\n", name, address, i)
		for _, c := range service.Configs {
			fmt.Fprintf(&s, "install -m 644 compose/%s %s\n", filepath.Base(c.Target), c.Target)
		}
		for _, v := range service.Volumes {
			uid, _, _ := strings.Cut(service.User, ":")
			fmt.Fprintf(&s, "mkdir -p %[1]s; [ -d /volumes/%[2]s ] || install -d -o %[3]s -g %[3]s -m 700 /volumes/%[2]s\n", v.Target, v.Source, uid)
		}
	}
	s.WriteString(`
sed -i 's/ resolvers dns$//' /usr/local/etc/haproxy/haproxy.cfg
ip netns exec haproxy sysctl -qw net.ipv4.ip_unprivileged_port_start=0
`)
	run := func(name string, command []string) string { return composeCommand(name, services[name], command) }
	start := func(name string) {
		fmt.Fprintf(&s, "%s >> %s.log 2>&1 &\npid_%s=$!\n", run(name, nil), name, strings.ReplaceAll(name, "-", "_"))
	}
	start("redis")
	start("redis-replica")
	health := services["redis-replica"].HealthCheck.Test
	if len(health) != 2 || health[0] != "CMD-SHELL" {
		t.Fatalf("the health check of redis-replica is %q", health)
	}
	fmt.Fprintf(&s, "healthy() { %s; }\nfor try in $(seq 100); do healthy && break; sleep 0.2; done\nhealthy\n",
		run("redis-replica", []string{"sh", "-c", strings.ReplaceAll(health[1], "$$", "$")}))
	s.WriteString(run("init", nil) + "\n" + run("init", nil) + " | grep -q 'Nothing was changed'\n")
	for _, name := range []string{"signet-1", "signet-2", "haproxy"} {
		start(name)
	}
	s.WriteString(`
auth() { curl -sf --cacert fullchain.pem --resolve auth.example.com:443:172.30.73.10 "$@"; }
for try in $(seq 150); do auth https://auth.example.com/readyz -o ready.json && break; sleep 0.4; done
grep -q '"ready"' ready.json || cat ready.json
`)
	s.WriteString(run("signet-1", []string{"/signet", "healthcheck"}) + "\n")
	s.WriteString(run("signet-1", []string{"/signet", "client", "create", "--id", "web", "--grant", "client_credentials", "-o", "json"}) + " > web.json\n")
	s.WriteString(`token() { auth https://auth.example.com/token -d grant_type=client_credentials -u "web:$(jq -er .client_secret web.json)" | jq -er .access_token; }
for both in 1 2 3 4; do token > token; done
auth -H 'X-Forwarded-For: 198.51.100.7' -o refused.json https://auth.example.com/token -d grant_type=client_credentials -u web:wrong || true
`)
	s.WriteString(run("signet-2", []string{"/signet", "keys", "list", "-o", "json"}) + " | jq -e '.replicas | length == 2' > replicas.json\n")
	// The address that is seen is that of HAProxy's caller, not what the caller claims.
	s.WriteString("for try in $(seq 50); do " + run("signet-2", []string{"/signet", "audit", "list", "--type", "client_auth", "-o", "json"}) +
		" > audit.json || true; grep -q 172.30.73.1 audit.json && break; sleep 0.2; done\ngrep -q 172.30.73.1 audit.json\n! grep 198.51.100.7 audit.json\n")
	s.WriteString(`kill -TERM $pid_signet_1
for try in $(seq 20); do token > token; sleep 0.3; done
wait $pid_signet_1
`)
	return s.String()
}

// composeCommand returns the command line of a service, or another one in the same place.
func composeCommand(name string, service composeService, command []string) string {
	if command == nil {
		command = service.Command
		if strings.HasPrefix(name, "signet-") || name == "init" { // the entrypoint of the image
			command = append([]string{"/signet"}, command...)
		}
	}
	var environ, mounts []string
	for key, value := range service.Environment {
		if strings.HasPrefix(value, "${"+key+":?") { // the operator sets it
			value = "https://auth.example.com"
		}
		environ = append(environ, key+"="+value)
	}
	slices.Sort(environ)
	for _, v := range service.Volumes {
		mounts = append(mounts, fmt.Sprintf("mount --bind /volumes/%s %s", v.Source, v.Target))
	}
	uid, gid, _ := strings.Cut(service.User, ":")
	run := fmt.Sprintf("exec setpriv --reuid %s --regid %s --clear-groups --bounding-set=-all --no-new-privs env -i PATH=/usr/sbin:/usr/bin %s %s",
		uid, gid, quoted(environ), quoted(command))
	return fmt.Sprintf("ip netns exec %s sh -c %s", name, quoted([]string{strings.Join(append(mounts, run), " && ")}))
}
