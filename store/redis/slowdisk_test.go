package redis

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"signet/store/redis/redistest"
)

// slowSync replaces fsync and fdatasync of a process by calls that wait while a file exists, and
// that leave FILE.entered behind. It stands for a disk that is busy.
const slowSync = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_for_disk(void) {
	char entered[4096];
	if (access(getenv("SLOW_WHILE"), F_OK) != 0) return;
	snprintf(entered, sizeof entered, "%s.entered", getenv("SLOW_WHILE"));
	close(open(entered, O_CREAT | O_WRONLY, 0600));
	for (int i = 0; i < 3000 && access(getenv("SLOW_WHILE"), F_OK) == 0; i++) usleep(10000);
}
int fsync(int fd) {
	wait_for_disk();
	return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
int fdatasync(int fd) {
	wait_for_disk();
	return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
`

// slowDisk returns the environment of a process whose syncs wait while the file exists.
func slowDisk(t *testing.T) (env []string, file string) {
	t.Helper()
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no gcc")
		}
		t.Skip("there is no gcc, which builds the slow disk")
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "slow.c"), filepath.Join(dir, "slow.so")
	if err := os.WriteFile(source, []byte(slowSync), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, source, "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("building the slow disk: %v\n%s", err, out)
	}
	file = filepath.Join(dir, "slow")
	return []string{"LD_PRELOAD=" + library, "SLOW_WHILE=" + file}, file
}

// TestEverysecCanLoseAnswers shows what deploy/redis/README.md states: with "everysec", Redis answers
// while it postpones the write to its file, and kill -9 loses what was answered. No power fails.
func TestEverysecCanLoseAnswers(t *testing.T) {
	t.Parallel()
	env, slow := slowDisk(t)
	server := redistest.Start(t, redistest.Config{Persist: true, Env: env, Conf: []string{"appendfsync everysec"}})
	if err := os.WriteFile(slow, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	answered := 0
	redistest.Wait(t, "a write that is answered and not in the file", func() error {
		server.Do("set", fmt.Sprint("answered:", answered), "yes")
		answered++
		if info := server.Info("persistence"); info["aof_buffer_length"] == "0" || info["aof_buffer_length"] == "" {
			return fmt.Errorf("after %d writes everything is in the file", answered)
		}
		return nil
	})
	server.Kill()
	os.Remove(slow)
	server.Restart()
	if _, err := server.Client().Get(t.Context(), fmt.Sprint("answered:", answered-1)).Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("the last of %d answered writes: got error %v, want that it is lost", answered, err)
	}
}

// TestAlwaysAnswersLater shows that "always" closes this: while the disk is busy nothing is answered.
func TestAlwaysAnswersLater(t *testing.T) {
	t.Parallel()
	env, slow := slowDisk(t)
	server := redistest.Start(t, redistest.Config{Persist: true, Env: env})
	server.Do("set", "before", "yes")
	if err := os.WriteFile(slow, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	answer := make(chan error, 1)
	go func() { answer <- client.Set(t.Context(), "during", "yes", 0).Err() }()
	redistest.Wait(t, "the sync of the write", func() error {
		_, err := os.Stat(slow + ".entered")
		return err
	})
	server.Kill()
	if err := <-answer; err == nil {
		t.Error("a write was answered before it was synced")
	}
	os.Remove(slow)
	server.Restart()
	if got := server.Do("get", "before"); got != "yes" {
		t.Errorf("what was answered before: got %v, want yes", got)
	}
}
