package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAdminAPIRecipes runs the commands of the admin API's page, in order, against a server in development mode.
func TestAdminAPIRecipes(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			needs(t, program, "apt-get install "+program)
		}
	}
	page, err := os.ReadFile("../../../server/admin/api/README.md")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := listener.Addr().String()
	listener.Close()
	t.Setenv("SIGNET_ADMIN_LISTEN", admin)
	dir := t.TempDir()
	p := startDev(t, filepath.Join(dir, "signet-data"))
	script := "set -e -o pipefail\n"
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 7 {
		t.Fatalf("got %d blocks of commands", len(blocks))
	}
	for _, block := range blocks {
		script += block[1]
	}
	script = strings.NewReplacer("http://127.0.0.1:8080", p.demo.Issuer, "http://127.0.0.1:9000", "http://"+admin).Replace(script)
	cmd := exec.Command("bash", "-x", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
