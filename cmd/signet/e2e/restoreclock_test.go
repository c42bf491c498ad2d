package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/store"
)

// TestRestoreWhileTheClockJumps: the clock of the machine is another one at each step of a disaster and its restore. What
// was revoked stays revoked, and who goes on goes on.
func TestRestoreWhileTheClockJumps(t *testing.T) {
	for _, row := range []struct {
		name           string
		after, restore time.Duration // from the backup on; at the restore
		start          time.Duration // of the restored server
	}{
		{"50 s back after the backup", -50 * time.Second, -50 * time.Second, -50 * time.Second},
		{"50 s back at the restore", 0, -50 * time.Second, -50 * time.Second},
		{"50 s ahead after the backup, back at the restore", 50 * time.Second, 0, 0},
		{"ahead at the restore, right afterwards", 0, 50 * time.Second, 0},
		{"an hour back at the restore, right afterwards", 0, -time.Hour, 0},
	} {
		for _, source := range []string{"the replaced store", "the log"} {
			t.Run(row.name+", "+source, func(t *testing.T) {
				clock := newSteppedClock(t)
				t.Setenv(clockFile, clock.path)
				d := happenThrough(t, "bolt:signet.db", func() { clock.set(row.after) })
				var args []string
				if source == "the log" {
					if err := os.Remove(filepath.Join(d.dir, "signet.db")); err != nil {
						t.Fatal(err)
					}
					args = []string{"--audit-log", d.log}
				} else {
					d.newPasswordKept = true
				}
				clock.set(row.restore)
				report := d.restore(args...)
				if got := fmt.Sprint(report.Kept.Sessions, report.Kept.Tokens, report.Kept.DisabledUsers); got != "3 1 [bob]" {
					t.Errorf("kept: got %s", got)
				}
				clock.set(row.start)
				d.check(d.start())
			})
		}
	}
}

// TestRestoreWithTheMarkOfAnotherInstall: a data directory that has the mark of another install is restored into all the
// same. The mark is not used, that is said, and the server starts with one of its own.
func TestRestoreWithTheMarkOfAnotherInstall(t *testing.T) {
	t.Parallel()
	d := happen(t, "bolt:signet.db")
	other := shortDir(t)
	signet(t, "", "init", "--dir", other, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0")
	foreign, err := os.ReadFile(filepath.Join(other, markName))
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(d.dir, markName)
	write(t, mark, string(foreign))
	out, stderr, code := runSignet(t, "", "restore", d.backup, "--config", d.config, "-o", "json")
	if code != exitDone || !strings.Contains(stderr, mark+" was not used, and is replaced") {
		t.Fatalf("restore: got %d %q %q", code, out, stderr)
	}
	d.newPasswordKept = true
	d.check(d.start())
	if now, err := os.ReadFile(mark); err != nil || string(now) == string(foreign) {
		t.Errorf("the mark is still the other install's: %v", err)
	}
}

// TestRestoreShowsItsMoment: a backup at once after a change has that change on its trail, and restore
// says when it was made.
func TestRestoreShowsItsMoment(t *testing.T) {
	t.Parallel()
	d := &disaster{t: t, dir: shortDir(t), environ: append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SIGNET_SHUTDOWN_DELAY=0s")}
	d.config, d.backup = filepath.Join(d.dir, "signet.yaml"), filepath.Join(d.dir, "copy.db")
	signet(t, "", "init", "--dir", d.dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0")
	r := startReplica(t, d.dir, d.environ)
	d.signet("", "client", "create", "--id", "late", "--public", "--grant", "password")
	d.signet("", "client", "delete", "late", "--yes")
	before := store.Millis(time.Now())
	d.signet("", "backup", d.backup)
	after := time.Now()
	if code := r.stop(); code != exitDone {
		t.Fatalf("the server exited with %d", code)
	}
	if got := d.restore().AsOf; got.Before(before) || got.After(after) {
		t.Errorf("as of %v, and the backup was made from %v to %v", got, before, after)
	}
	archive := filepath.Join(d.dir, "restored.ndjson")
	d.signet("", "export", "--store", "bolt:"+d.backup, archive)
	_, records := readExport(t, archive)
	var got []string
	for _, record := range records {
		if record.Event != nil {
			got = append(got, record.Event.Type)
		}
	}
	if want := "client.create client.delete backup"; !strings.HasSuffix(strings.Join(got, " "), want) {
		t.Errorf("the trail of the backup: got %v, want %s last", got, want)
	}
}
