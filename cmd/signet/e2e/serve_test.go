package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signet/cmd/signet/internal/install/installtest"
	"signet/keys/masterkey"
)

// install makes an install in a short directory (a socket's path must be short) and returns it.
func install(t *testing.T, extra string) (dir, configFile string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "signet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	dir = filepath.Join(dir, "etc")
	_, stderr, code := runSignet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0")
	if code != 0 {
		t.Fatalf("init: %s", stderr)
	}
	configFile = filepath.Join(dir, "signet.yaml")
	file, err := os.OpenFile(configFile, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(file, "\nshutdown: {delay: 0s}\nlog: {format: text}\n%s", extra)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, configFile
}

// startServe runs `signet serve` and returns the address it listens on.
func startServe(t *testing.T, configFile string) (p *process, address string) {
	t.Helper()
	p, _ = startProcessNoLine(t, "serve", "--config", configFile)
	waitFor(t, "the server", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("signet serve ended:\n%s", p.stderr)
		default:
		}
		_, rest, ok := strings.Cut(p.stderr.String(), " listen=")
		address, _, _ = strings.Cut(rest, " ")
		return ok
	})
	return p, address
}

func TestInitAndServe(t *testing.T) {
	t.Parallel()
	dir, configFile := install(t, "")
	for _, name := range []string{"signet.yaml", "master.key", "signet.db"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want a file of mode 0600", name, info, err)
		}
	}
	p, address := startServe(t, configFile)
	info, err := os.Stat(filepath.Join(dir, "admin.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("admin socket: got %v, %v, want mode 0600", info, err)
	}
	out, stderr, code := runSignet(t, "", "client", "create", "--config", configFile, "--id", "web", "--grant", "password,refresh_token", "--scope", "profile", "-o", "json")
	if code != 0 || !strings.Contains(out, `"client_secret":"signet_cs_`) {
		t.Fatalf("client create: %d %s%s", code, out, stderr)
	}
	_, secret, _ := strings.Cut(out, `"client_secret":"`)
	secret, _, _ = strings.Cut(secret, `"`)
	if _, stderr, code := runSignet(t, "violet tractor under seven moons\n", "user", "create", "--config", configFile, "--username", "ada", "--password-stdin"); code != 0 {
		t.Fatalf("user create: %s", stderr)
	}
	status, tokens := post(t, "http://"+address+"/token", url.Values{"grant_type": {"password"}, "client_id": {"web"}, "client_secret": {secret},
		"username": {"ada"}, "password": {"violet tractor under seven moons"}})
	if status != http.StatusOK {
		t.Fatalf("login: got %d %v", status, tokens)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exited with %d\n%s", code, p.stderr)
	}
	if strings.Contains(p.stderr.String(), "tractor") || strings.Contains(p.stderr.String(), secret) {
		t.Error("the log holds the password or the client secret")
	}
}

// Algorithms chosen at the start need no waiting: each has a key that signs.
func TestInitAlgorithms(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "x")
	if _, stderr, code := runSignet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--algorithms", "ES256,RS256", "--listen", "127.0.0.1:0"); code != 0 {
		t.Fatal(stderr)
	}
	configFile := filepath.Join(dir, "signet.yaml")
	appendTo(t, configFile, "log: {format: text}\nshutdown: {delay: 0s}\n")
	startServe(t, configFile)
	out, stderr, code := runSignet(t, "", "client", "create", "--config", configFile, "--id", "aws", "--grant", "client_credentials", "--alg", "RS256")
	if code != 0 {
		t.Errorf("a client pinned to RS256: %s%s", out, stderr)
	}
	if _, stderr, code := runSignet(t, "", "init", "--dir", dir+"2", "--issuer", "https://auth.example.com", "--algorithms", "HS256"); code != 1 || !strings.Contains(stderr, "algorithms") {
		t.Errorf("HS256: got %d %q", code, stderr)
	}
}

func TestInitOverwritesNothing(t *testing.T) {
	t.Parallel()
	dir, _ := install(t, "")
	before := snapshotDir(t, dir)
	_, stderr, code := runSignet(t, "", "init", "--dir", dir, "--issuer", "https://other.example.com")
	if code != 1 || !strings.Contains(stderr, "not overwritten") {
		t.Errorf("got %d %q", code, stderr)
	}
	if err := os.Remove(filepath.Join(dir, "signet.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code = runSignet(t, "", "init", "--dir", dir, "--issuer", "https://other.example.com"); code != 1 || !strings.Contains(stderr, "master.key") {
		t.Errorf("with the master key left: got %d %q", code, stderr)
	}
	delete(before, "signet.yaml")
	if after := snapshotDir(t, dir); !equalFiles(before, after) {
		t.Error("a refused init changed files")
	}
}

func TestInitThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	top, there := filepath.Join(t.TempDir(), "new"), t.TempDir()
	for _, c := range []struct {
		dir, issuer, store, stderr string
	}{
		{filepath.Join(top, "a", "b"), "http://auth.example.com", "bolt:signet.db", `signet: init: issuer: "http://auth.example.com" is plain http; `},
		{filepath.Join(top, "a", "b"), "https://auth.example.com", "redis://127.0.0.1:1", "signet: init: store: redis://127.0.0.1:1 does not answer"},
		{there, "https://auth.example.com", "redis://127.0.0.1:1", "signet: init: store: redis://127.0.0.1:1 does not answer"},
	} {
		_, stderr, code := runSignet(t, "", "init", "--dir", c.dir, "--issuer", c.issuer, "--store", c.store)
		if code != 1 || !strings.HasPrefix(stderr, c.stderr) {
			t.Errorf("got %d %q, want %q", code, stderr, c.stderr)
		}
		if _, err := os.Stat(top); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("left behind: %s, %v", top, err)
		}
	}
	if files := snapshotDir(t, there); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

func snapshotDir(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if e.Type().IsRegular() {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[e.Name()] = string(data)
		}
	}
	return files
}

func equalFiles(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for name, data := range a {
		if b[name] != data {
			return false
		}
	}
	return true
}

// What keeps a server from starting is said in one line, and changes no byte.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	_, running := install(t, "")
	startServe(t, running)
	for name, test := range map[string]struct {
		prepare func(t *testing.T, dir string)
		says    string
	}{
		"wrong master key": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "master.key"), masterkey.New().Encode()+"\n")
		}, "master key"},
		"no master key":       {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "master.key")) }, "there is no"},
		"readable master key": {func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, "master.key"), 0o644) }, "chmod 600"},
		"garbled master key":  {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "master.key"), "canary") }, "master key"},
		"no store":            {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "signet.db")) }, "signet init"},
		"empty store":         {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "signet.db"), "") }, "signet.db"},
		"unknown key":         {func(t *testing.T, dir string) { appendTo(t, filepath.Join(dir, "signet.yaml"), "isuer: x\n") }, "isuer"},
		"no configuration":    {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "signet.yaml")) }, "no such file"},
		"timetable that breaks": {func(t *testing.T, dir string) {
			appendTo(t, filepath.Join(dir, "signet.yaml"), "keys: {publish: 1h}\n")
		}, "publish"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, configFile := install(t, "")
			test.prepare(t, dir)
			before := snapshotDir(t, dir)
			_, stderr, code := runSignet(t, "", "serve", "--config", configFile)
			if code != 1 || !strings.Contains(stderr, test.says) || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "canary") {
				t.Errorf("got exit %d and %q, want 1 and one line with %q", code, stderr, test.says)
			}
			if !equalFiles(before, snapshotDir(t, dir)) {
				t.Error("the refused start changed a file")
			}
		})
	}
	t.Run("second process", func(t *testing.T) {
		_, stderr, code := runSignet(t, "", "serve", "--config", running)
		if code != 1 || !strings.Contains(stderr, "in use by another process") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("got exit %d and %q", code, stderr)
		}
	})
	t.Run("plain HTTP to the world", func(t *testing.T) {
		_, configFile := install(t, "")
		_, stderr, code := runSignet(t, "", "serve", "--config", configFile, "--listen", "0.0.0.0:0")
		if code != 1 || !strings.Contains(stderr, "tls") {
			t.Errorf("got exit %d and %q", code, stderr)
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(data)+text)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// A renewed certificate is used without a restart.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	dir, configFile := install(t, "tls: {cert: cert.pem, key: key.pem}\n")
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	installtest.WriteCertificate(t, certFile, keyFile, 1)
	_, address := startServe(t, configFile)
	if got := servedSerial(t, address); got != 1 {
		t.Fatalf("got certificate %d, want 1", got)
	}
	installtest.WriteCertificate(t, certFile, keyFile, 2)
	waitFor(t, "the new certificate", func() bool { return servedSerial(t, address) == 2 })

	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /token HTTP/1.1\r\nHost: x\r\n\r\n")
	plain, _ := io.ReadAll(conn)
	if !bytes.Contains(plain, []byte("400")) {
		t.Errorf("plain HTTP on the TLS port: got %q", plain)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func servedSerial(t *testing.T, address string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // which certificate is the question
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// A backup never lands on what the server lives on, however much it is forced.
func TestBackupSparesTheServersFiles(t *testing.T) {
	t.Parallel()
	dir, configFile := install(t, "")
	startServe(t, configFile)
	before := snapshotDir(t, dir)
	for _, name := range []string{"signet.db", "master.key", "signet.yaml"} {
		_, stderr, code := runSignet(t, "", "backup", filepath.Join(dir, name), "--force", "--config", configFile)
		if code != 1 || !strings.Contains(stderr, "the server itself uses") {
			t.Errorf("onto %s: got exit %d and %q", name, code, stderr)
		}
	}
	if err := os.Link(filepath.Join(dir, "signet.db"), filepath.Join(dir, "other.db")); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := runSignet(t, "", "backup", filepath.Join(dir, "other.db"), "--force", "--config", configFile); code != 1 {
		t.Errorf("onto a link to the store: got exit %d and %q", code, stderr)
	}
	remove(t, filepath.Join(dir, "other.db"))
	if !equalFiles(before, snapshotDir(t, dir)) {
		t.Error("a refused backup changed a file")
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	for range 2 { // the second time over the first
		if _, stderr, code := runSignet(t, "", "backup", copied, "--force", "--config", configFile); code != 0 {
			t.Errorf("onto a file of its own: got exit %d and %q", code, stderr)
		}
	}
}

// A new issuer waits for the next start, and so does the audience that follows it.
func TestReloadKeepsTheAudience(t *testing.T) {
	t.Parallel()
	_, configFile := install(t, "")
	p, address := startServe(t, configFile)
	text, err := os.ReadFile(configFile)
	if err != nil {
		t.Fatal(err)
	}
	write(t, configFile, strings.Replace(string(text), "https://auth.example.com", "https://new.example.com", 1))
	hangup(t, p)
	waitFor(t, "the warning", func() bool { return strings.Contains(p.stderr.String(), "settings=issuer") })
	out, _, _ := runSignet(t, "", "client", "create", "--config", configFile, "--id", "job", "--grant", "client_credentials", "-o", "json")
	_, secret, _ := strings.Cut(out, `"client_secret":"`)
	secret, _, _ = strings.Cut(secret, `"`)
	_, body := post(t, "http://"+address+"/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {secret}})
	token, _ := body["access_token"].(string)
	inspected, _, _ := runSignet(t, token, "token", "inspect", "-o", "json")
	if !strings.Contains(inspected, `"aud":"https://auth.example.com"`) || !strings.Contains(inspected, `"iss":"https://auth.example.com"`) {
		t.Errorf("after the reload: got %s, want iss and aud as before", inspected)
	}
}

// SIGHUP applies what can change; a mistake changes nothing and is counted.
func TestServeReload(t *testing.T) {
	t.Parallel()
	_, configFile := install(t, "")
	p, address := startServe(t, configFile)
	good, err := os.ReadFile(configFile)
	if err != nil {
		t.Fatal(err)
	}
	write(t, configFile, string(good)+"refresh: {grace: 99h}\n")
	hangup(t, p)
	waitFor(t, "the refusal", func() bool { return strings.Contains(p.stderr.String(), "the one before stays") })
	write(t, configFile, strings.Replace(string(good), "127.0.0.1:0", "127.0.0.1:1", 1)+"access_token: {ttl: 2m}\n")
	hangup(t, p)
	waitFor(t, "the new settings", func() bool { return strings.Contains(p.stderr.String(), "configuration read again") })
	waitFor(t, "the warning", func() bool { return strings.Contains(p.stderr.String(), "settings=listen") })

	out, _, _ := runSignet(t, "", "client", "create", "--config", configFile, "--id", "job", "--grant", "client_credentials", "-o", "json")
	_, secret, _ := strings.Cut(out, `"client_secret":"`)
	secret, _, _ = strings.Cut(secret, `"`)
	status, body := post(t, "http://"+address+"/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {secret}})
	if status != http.StatusOK || body["expires_in"] != float64(120) {
		t.Errorf("after the reload: got %d %v, want expires_in 120", status, body)
	}
}

func hangup(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// A proxy that speaks TLS and is not known makes one caller of all users; the log has one warning.
func TestServeWarnsOfAProxyItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]int{"SIGNET_TRUSTED_PROXIES=": 1, "SIGNET_TRUSTED_PROXIES=10.0.0.1": 0} {
		p := startInstall(t, "", "SIGNET_TLS_TERMINATED_BY_PROXY=true", settings)
		if got := strings.Count(p.stderr.String(), `"level":"WARN","msg":"configuration","warning":"trusted_proxies: is empty`); got != want {
			t.Errorf("%s: warned %d times, want %d:\n%s", settings, got, want, p.stderr)
		}
	}
}

// SIGTERM finishes what is under way: a request whose body is still coming gets its answer.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	p := startDev(t, t.TempDir())
	body := p.demo.login().Encode()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.demo.Issuer, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:10])
	if status, _ := post(t, p.demo.Issuer+"/token", p.demo.login()); status != http.StatusOK { // by now the server has read the headers above
		t.Fatalf("login: got %d", status)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the listener to close", func() bool {
		probe, err := net.Dial("tcp", strings.TrimPrefix(p.demo.Issuer, "http://"))
		if err == nil {
			probe.Close()
		}
		return err != nil
	})
	fmt.Fprint(conn, body[10:])
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Errorf("a request under way at SIGTERM: got %q, %v", answer, err)
	}
	conn.Close()
	<-p.exited
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exited with %d", code)
	}
}
