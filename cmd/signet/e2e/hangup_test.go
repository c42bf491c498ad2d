package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startNginx runs nginx in front of the server, as it comes: it hangs up on Signet when its client does.
func startNginx(t *testing.T, backend string) (address string) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			needs(t, "nginx", "apt-get install nginx-light")
		}
	}
	dir, address := shortDir(t), freeAddress(t)
	config := filepath.Join(dir, "nginx.conf")
	write(t, config, fmt.Sprintf(`daemon off;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    location / {
      proxy_pass http://%[3]s;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`, dir, address, backend))
	cmd := exec.Command(path, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", config)
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx said:\n%s", log)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not listen: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A guesser who hangs up between guesses gains none, straight and through nginx: the same login is sent again and
// again with a long scope, and its connection is half-closed at once.
func TestHangingUpGainsNoGuesses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		front func(t *testing.T, backend string) string
	}{
		{"straight", func(_ *testing.T, backend string) string { return backend }},
		{"through nginx", startNginx},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := startDev(t, shortDir(t))
			address := row.front(t, p.address())
			login := func(secret, scope string) string {
				return url.Values{"grant_type": {"password"}, "client_id": {p.demo.PublicClient}, "username": {p.demo.Username},
					"password": {secret}, "scope": {scope}}.Encode()
			}
			long := strings.TrimSuffix(strings.Repeat("profile ", 4400), " ")
			begun, compared := time.Now(), 0
			for guess := range 25 {
				secret := fmt.Sprintf("wrong password %d", guess)
				res, err := http.Post("http://"+address+"/token", "application/x-www-form-urlencoded", strings.NewReader(login(secret, "profile")))
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode == http.StatusBadRequest {
					compared++
				}
				var all sync.WaitGroup
				for range 20 {
					all.Go(func() { halfClosed(t, address, login(secret, long)) })
				}
				all.Wait()
			}
			// Beyond the ten free ones, those that the waits of 1, 2, 4 … seconds let through.
			most := 10
			for pause, waited := time.Second, time.Second; waited <= time.Since(begun); pause, waited = 2*pause, waited+2*pause {
				most++
			}
			t.Logf("%d of 25 guesses were compared in %v, with 500 connections half-closed", compared, time.Since(begun).Round(time.Millisecond))
			if compared > most {
				t.Errorf("%d guesses were compared, want at most %d", compared, most)
			}
			if log := p.stderr.String(); strings.Contains(log, `"level":"ERROR"`) {
				t.Error("hanging up is logged as an error of the server")
			}
		})
	}
}

// halfClosed sends a form and shuts its side of the connection down at once.
func halfClosed(t *testing.T, address, body string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", address, len(body), body)
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.Copy(io.Discard, bufio.NewReader(conn))
}
