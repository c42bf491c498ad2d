package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The tests of this file install what .ci/release has built into the directory that RELEASE_DIST names. They need root, because each
// installs on a copy of this system that is discarded afterwards; testdata/release/machine makes it.

const crane = "github.com/google/go-containerregistry/cmd/crane@v0.20.6"

// release is a directory that .ci/release has filled.
type release struct{ dir, version string }

// file returns the path of a file of it, such as linux_amd64.deb.
func (r release) file(name string) string {
	return filepath.Join(r.dir, "signet_"+strings.TrimPrefix(r.version, "v")+"_"+name)
}

// releases are the one that was built before the tests, the same built again elsewhere and signed, and a later one.
type releases struct{ given, again, later release }

const laterVersion = "v1.99.0"

var buildReleases = sync.OnceValues(func() (releases, error) {
	var all releases
	given, err := openRelease(os.Getenv("RELEASE_DIST"))
	if err != nil {
		return all, err
	}
	all.given = given
	// Another directory, umask, language and time zone. The tag of the later release is on the same commit.
	program, err := exec.LookPath("signet")
	if err != nil {
		return all, err
	}
	dir := filepath.Join(filepath.Dir(program), "releases") // TestMain removes it
	if err := os.Mkdir(dir, 0o755); err != nil {
		return all, err
	}
	script := fmt.Sprintf(`set -e
umask 077
export TZ=Asia/Kathmandu LC_ALL=C
cd '%[1]s'
git clone -q "$REPOSITORY" source
openssl ecparam -genkey -name prime256v1 -noout -out key.pem
openssl ec -in key.pem -pubout -out key.pub
export SIGNET_RELEASE_KEY=$PWD/key.pem
source/.ci/release again linux/amd64 linux/arm64
git -C source tag %[2]s
source/.ci/release later linux/%[3]s
chmod -R go+rX .
`, dir, laterVersion, runtime.GOARCH)
	top, err := filepath.Abs("../../..")
	if err != nil {
		return all, err
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(os.Environ(), "REPOSITORY="+top)
	if out, err := cmd.CombinedOutput(); err != nil {
		return all, fmt.Errorf("%w\n%s", err, out)
	}
	if all.again, err = openRelease(filepath.Join(dir, "again")); err != nil {
		return all, err
	}
	all.later, err = openRelease(filepath.Join(dir, "later"))
	return all, err
})

// openRelease finds the version in the name of the image.
func openRelease(dir string) (release, error) {
	found, err := filepath.Glob(filepath.Join(dir, "signet_*_image.digest"))
	if err != nil || len(found) != 1 {
		return release{}, fmt.Errorf("%s has no release", dir)
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "signet_"), "_image.digest")
	return release{dir, "v" + version}, nil
}

// builtReleases returns the releases.
func builtReleases(t *testing.T) releases {
	t.Helper()
	if os.Getenv("RELEASE_DIST") == "" {
		needs(t, "a release", "run .ci/release dist, then the test with RELEASE_DIST=$PWD/dist, as root")
	}
	for _, tool := range []string{"dpkg", "apt-get", "rpm", "jq", "curl", "openssl", "unshare", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			needs(t, tool, "apt-get install rpm jq curl openssl util-linux")
		}
	}
	if err := exec.Command("unshare", "--mount", "--pid", "--fork", "true").Run(); err != nil {
		needs(t, "root, which the machines of these tests are made with,", "sudo")
	}
	all, err := buildReleases()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// machine returns a command that runs a script of bash as root on a copy of this system, with the directory in it.
func machine(t testing.TB, ctx context.Context, dir, script string) *exec.Cmd {
	t.Helper()
	program, err := filepath.Abs("testdata/release/machine")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "script")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(ctx, program, dir, path)
}

// names returns what the pages' names of files and versions stand for.
func (all releases) names() *strings.Replacer {
	return strings.NewReplacer(
		"signet_1.2.3_linux_amd64", "signet_"+all.again.version[1:]+"_linux_"+runtime.GOARCH, "signet_1.2.4_linux_amd64", "signet_"+all.later.version[1:]+"_linux_"+runtime.GOARCH,
		"1.2.3", all.again.version[1:], "1.2.4", all.later.version[1:])
}

// TestReleaseInstallPage runs the commands of deploy/install.md, each section on a machine of its own. The section of Debian is what a
// newcomer does: from the package to a token that was checked it takes less than two minutes.
func TestReleaseInstallPage(t *testing.T) {
	all := builtReleases(t)
	const path = "deploy/install.md"
	text := page(t, path)
	for title, blocks := range sections(t, path, text) {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r := newTour(t, path, "/usr/local/bin")
			r.names = all.names()
			r.shell = func(ctx context.Context, script string) *exec.Cmd { return machine(t, ctx, r.dir, script) }
			if err := os.Chmod(r.dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{all.later.dir, all.again.dir} { // the same name of both is that of the second
				if err := copyFiles(r.dir, dir); err != nil {
					t.Fatal(err)
				}
			}
			r.write("signet-release.pub", readFile(t, filepath.Join(filepath.Dir(all.again.dir), "key.pub")), 0o644)
			r.write("signet.service", page(t, "deploy/systemd/signet.service"), 0o644)
			if title == "The image" {
				r.names = r.withRegistry(t, all)
			}
			for _, b := range blocks {
				r.add(b)
			}
			begin := time.Now()
			r.run()
			took := time.Since(begin)
			t.Logf("%s: %s", title, took.Round(time.Second))
			for _, e := range r.expect {
				r.compare(e)
			}
			if newcomer := r.until(t, "token", begin); title == "Debian and Ubuntu" && newcomer > 2*time.Minute {
				t.Errorf("from the package to a token took %s, want 2 minutes at most", newcomer)
			}
		})
	}
}

// until returns when the commands have written a file, 0 if they have not.
func (r *tour) until(t *testing.T, name string, begin time.Time) time.Duration {
	t.Helper()
	info, err := os.Stat(filepath.Join(r.dir, name))
	if err != nil {
		return 0
	}
	took := info.ModTime().Sub(begin)
	t.Logf("%s after %s", name, took.Round(100*time.Millisecond))
	return took
}

// withRegistry starts a registry for the names of the page, and makes crane available to its commands.
func (r *tour) withRegistry(t *testing.T, all releases) *strings.Replacer {
	t.Helper()
	program := goTool(t, crane)
	if err := os.Link(program, filepath.Join(r.dir, "bin", "crane")); err != nil {
		t.Fatal(err)
	}
	address := startRegistry(t, program)
	names := all.names()
	return strings.NewReplacer("registry.example.com", address, "signet_1.2.3_image", names.Replace("signet_1.2.3_image"), "1.2.3", names.Replace("1.2.3"))
}

// sections returns the blocks below each heading of the second level.
func sections(t *testing.T, path, text string) map[string][]block {
	t.Helper()
	title := regexp.MustCompile(`^## (.+)$`)
	var titles []string
	var lines []int
	number := 0
	for line := range strings.Lines(text) {
		number++
		if m := title.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			titles, lines = append(titles, m[1]), append(lines, number)
		}
	}
	found := map[string][]block{}
	for _, b := range parseBlocks(t, path, text) {
		i, _ := slices.BinarySearch(lines, b.line)
		if i == 0 {
			t.Fatalf("%s:%d: the block is below no heading", path, b.line)
		}
		found[titles[i-1]] = append(found[titles[i-1]], b)
	}
	return found
}

func copyFiles(to, from string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), data, info.Mode().Perm()|0o444); err != nil {
			return err
		}
	}
	return nil
}

// TestReleaseIsReproducible: two builds in different places are the same, the image's digest included.
func TestReleaseIsReproducible(t *testing.T) {
	all := builtReleases(t)
	given, again := checksums(t, all.given.dir), checksums(t, all.again.dir)
	for name, sum := range again {
		if given[name] != sum {
			t.Errorf("%s differs between two builds of the same commit", name)
		}
	}
	for _, want := range []string{"linux_amd64", "linux_amd64.deb", "linux_arm64.rpm", "linux_arm64.cdx.json", "image.oci.tar", "image.digest"} {
		if _, ok := again[filepath.Base(all.again.file(want))]; !ok {
			t.Errorf("the release has no %s; it has %q", want, slices.Sorted(maps.Keys(again)))
		}
	}
}

// checksums reads SHA256SUMS, and compares it with the files.
func checksums(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(readFile(t, filepath.Join(dir, "SHA256SUMS"))) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("SHA256SUMS has the line %q", line)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(readFile(t, filepath.Join(dir, name))))); got != sum {
			t.Errorf("SHA256SUMS has a wrong sum of %s", name)
		}
		sums[name] = sum
	}
	return sums
}

// TestReleaseVersion: the tag is the version, of the program, in the list of its modules and of the package.
func TestReleaseVersion(t *testing.T) {
	later := builtReleases(t).later
	out, err := exec.Command(later.file("linux_"+runtime.GOARCH), "version", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var version struct {
		Version, Commit, Time string
		Modified              bool
	}
	if err := json.Unmarshal(out, &version); err != nil {
		t.Fatal(err)
	}
	if version.Version != laterVersion || len(version.Commit) != 40 || version.Time == "" || version.Modified {
		t.Errorf("signet version printed %s", out)
	}
	var document struct {
		BomFormat string
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(readFile(t, later.file("linux_"+runtime.GOARCH+".cdx.json"))), &document); err != nil {
		t.Fatal(err)
	}
	modules := map[string]string{}
	for _, c := range document.Components {
		modules[c.Name] = c.Version
	}
	if document.BomFormat != "CycloneDX" || document.Metadata.Component.Version != laterVersion || modules["go.etcd.io/bbolt"] == "" || modules["std"] == "" {
		t.Errorf("the document is a %s of %v with %v", document.BomFormat, document.Metadata.Component, modules)
	}
	out, err = exec.Command("dpkg-deb", "--field", later.file("linux_"+runtime.GOARCH+".deb"), "Version").Output()
	if err != nil || strings.TrimSpace(string(out)) != laterVersion[1:] {
		t.Errorf("the package has the version %q, %v", out, err)
	}
}

// TestReleasePackageRefuses: an upgrade to a program that refuses the configuration leaves the server running, and a purge before
// there is an install leaves nothing.
func TestReleasePackageRefuses(t *testing.T) {
	all := builtReleases(t)
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, r := range []release{all.again, all.later} {
		if err := copyFiles(dir, r.dir); err != nil {
			t.Fatal(err)
		}
	}
	script := `set -euo pipefail
dpkg -i signet_1.2.3_linux_amd64.deb > install.txt
grep -q 'signet init --dir /var/lib/signet' install.txt
[ "$(stat -c '%U %G %a' /var/lib/signet)" = "signet signet 700" ]
! systemctl is-active signet
dpkg --purge signet > purge.txt 2>&1
[ ! -e /var/lib/signet ] && [ ! -e /usr/bin/signet ] && ! getent passwd signet

dpkg -i signet_1.2.3_linux_amd64.deb > install.txt
runuser -u signet -- signet init --dir /var/lib/signet --issuer http://127.0.0.1:$PORT --listen 127.0.0.1:$PORT
systemctl enable --now signet
curl -sf --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:$PORT/readyz > ready.json
server=$(cat /run/signet.pid)
[ "$(stat -c %U /proc/$server)" = signet ] || [ "$(ps -o user= -p $server)" = signet ]
[ "$(readlink /proc/$server/exe)" = /usr/bin/signet ]

echo 'no_such_setting: 1' >> /var/lib/signet/signet.yaml
dpkg -i signet_1.2.4_linux_amd64.deb > upgrade.txt 2>&1
grep -q 'the new program refuses /var/lib/signet/signet.yaml' upgrade.txt
[ "$(cat /run/signet.pid)" = "$server" ] && systemctl is-active signet
sed -i '$d' /var/lib/signet/signet.yaml
dpkg -i signet_1.2.4_linux_amd64.deb > upgrade.txt 2>&1
[ "$(cat /run/signet.pid)" != "$server" ] && systemctl is-active signet

dpkg --remove signet > remove.txt 2>&1
! systemctl is-active signet
[ ! -e /usr/bin/signet ] && [ -e /var/lib/signet/master.key ] && getent passwd signet > user.txt
`
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := machine(t, ctx, dir, "PORT="+freePorts(t, "port")["port"]+"\n"+"set -x\n"+all.names().Replace(script))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// startRegistry starts crane's registry and returns its address.
func startRegistry(t *testing.T, program string) string {
	t.Helper()
	address := "127.0.0.1:" + freePorts(t, "registry")["registry"]
	cmd := exec.Command(program, "registry", "serve", "--address", address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitFor(t, "the registry", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address
}

// TestReleaseImage: the image is pushed to a registry and pulled again, and its program runs from its files: as its user, on a root that
// is read-only, with a volume where it keeps its state. An engine adds isolation, which nothing here shows.
func TestReleaseImage(t *testing.T) {
	all := builtReleases(t)
	program := goTool(t, crane)
	address := startRegistry(t, program)
	dir := shortDir(t)
	layout, name := filepath.Join(dir, "layout"), address+"/signet:test"
	run := func(args ...string) string {
		t.Helper()
		var errs bytes.Buffer
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, errs.String())
		}
		return string(out)
	}
	if err := os.Mkdir(layout, 0o755); err != nil {
		t.Fatal(err)
	}
	run("tar", "-xf", all.given.file("image.oci.tar"), "-C", layout)
	run(program, "push", layout, name)
	if got, want := run(program, "digest", name), readFile(t, all.given.file("image.digest")); got != want {
		t.Errorf("the registry has the digest %s, the release %s", got, want)
	}
	run(program, "validate", "--remote", name)

	var index struct {
		Manifests []struct {
			Platform struct{ OS, Architecture string }
		}
	}
	unmarshal(t, run(program, "manifest", name), &index)
	var platforms []string
	for _, m := range index.Manifests {
		platforms = append(platforms, m.Platform.OS+"/"+m.Platform.Architecture)
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("the image is for %q, want %q", platforms, want)
	}
	var config struct {
		Architecture string
		Config       struct {
			User, WorkingDir     string
			Entrypoint, Cmd, Env []string
			Labels               map[string]string
		}
	}
	unmarshal(t, run(program, "config", "--platform", "linux/"+runtime.GOARCH, name), &config)
	const label = "org.opencontainers.image."
	if c := config.Config; c.User != "65532:65532" || c.Labels[label+"version"] != all.given.version || len(c.Labels[label+"revision"]) != 40 || c.Labels[label+"created"] == "" {
		t.Errorf("the configuration of the image is %+v", c)
	}

	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	pipeTar(t, exec.Command(program, "export", "--platform", "linux/"+runtime.GOARCH, name, "-"), root)
	if zones := readFile(t, filepath.Join(root, "usr/share/zoneinfo/Europe/Berlin")); !strings.HasPrefix(zones, "TZif") {
		t.Error("the image has no time zones")
	}
	if n := strings.Count(readFile(t, filepath.Join(root, "etc/ssl/certs/ca-certificates.crt")), "BEGIN CERTIFICATE"); n < 50 {
		t.Errorf("the image has %d root certificates", n)
	}
	if info, err := os.Stat(filepath.Join(root, "var/lib/signet")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("/var/lib/signet in the image: %v, %v", info, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// What an engine does with this configuration: root file system read-only, a volume that has the content of its directory, the user, and the
	// environment.
	script := fmt.Sprintf(`set -euxo pipefail
root=%[1]s/root
mount --bind $root $root
mount -t tmpfs -o mode=0700,uid=65532,gid=65532 tmpfs $root/var/lib/signet
mount -o remount,ro,bind $root
in_image() { env -i %[2]s SIGNET_LISTEN=127.0.0.1:%[3]s /usr/sbin/chroot --userspec=%[4]s $root %[5]s "$@"; }
! in_image config check 2> refused.txt
in_image init --dir /var/lib/signet --issuer http://127.0.0.1:%[3]s
in_image %[6]s 2> log.txt &
curl -sf --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:%[3]s/readyz > ready.json
in_image healthcheck
in_image client create --id demo --grant client_credentials -o json > demo.json
curl -sf http://127.0.0.1:%[3]s/token -d grant_type=client_credentials -u "demo:$(jq -er .client_secret demo.json)" | jq -er .access_token > token
in_image token inspect --issuer http://127.0.0.1:%[3]s < token > inspected.txt
[ "$(stat -c %%u:%%g $root/var/lib/signet/signet.db)" = 65532:65532 ]
! touch $root/anything 2> readonly.txt
in_image version > version.txt
`, dir, quoted(config.Config.Env), freePorts(t, "port")["port"], config.Config.User, quoted(config.Config.Entrypoint), quoted(config.Config.Cmd))
	if out, err := machine(t, ctx, dir, script).CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log.txt"))
		t.Errorf("%v\n%s\n%s", err, out, log)
	}
	if version := readFile(t, filepath.Join(dir, "version.txt")); !strings.Contains(version, all.given.version) {
		t.Errorf("the image's program is %s", version)
	}
}

func unmarshal(t testing.TB, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// quoted writes words for a shell.
func quoted(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(all, " ")
}

// pipeTar unpacks what a command writes, with its owners.
func pipeTar(t testing.TB, from *exec.Cmd, to string) {
	t.Helper()
	read, err := from.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	unpack := exec.Command("tar", "-x", "--same-owner", "-p", "-C", to)
	unpack.Stdin = read
	var packing, unpacking bytes.Buffer
	from.Stderr, unpack.Stderr = &packing, &unpacking
	if err := from.Start(); err != nil {
		t.Fatal(err)
	}
	if err := unpack.Run(); err != nil {
		t.Fatalf("%v\n%s", err, unpacking.String())
	}
	_, _ = io.Copy(io.Discard, read)
	if err := from.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, packing.String())
	}
}
