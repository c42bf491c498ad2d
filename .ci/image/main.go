// Command image builds the OCI image of signet without a container engine: an index with an image for each architecture, as an OCI
// layout in a directory. The base is empty: root certificates (Mozilla's, as the Go project publishes them), time zones (those of the
// Go toolchain), a user, and the program. The same input gives the same digest. It prints the digest.
//
//	go run -C .ci/image . -out DIR -version v1.2.3 -revision COMMIT -created 2026-11-29T08:51:00Z -license FILE amd64=PROGRAM arm64=PROGRAM
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is who the program runs as, by number, so that Kubernetes sees that it is not root.
const user = 65532

const stateDir = "var/lib/signet"

type options struct {
	out, version, revision, license, zoneinfo string
	created                                   time.Time
}

func main() {
	var o options
	flag.StringVar(&o.out, "out", "", "write the OCI layout to this `directory`")
	flag.StringVar(&o.version, "version", "", "the version of the program")
	flag.StringVar(&o.revision, "revision", "", "the commit")
	flag.StringVar(&o.license, "license", "", "the `file` with the license")
	flag.StringVar(&o.zoneinfo, "zoneinfo", "", "the `file` zoneinfo.zip of the Go toolchain")
	created := flag.String("created", "", "the `time` of the commit, RFC 3339")
	flag.Parse()
	err := func() (err error) {
		if o.created, err = time.Parse(time.RFC3339, *created); err != nil {
			return err
		}
		return build(o, flag.Args())
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// build writes the layout. programs are ARCHITECTURE=FILE.
func build(o options, programs []string) error {
	if len(programs) == 0 {
		return errors.New("name a program: amd64=FILE")
	}
	base, err := baseLayer(o)
	if err != nil {
		return fmt.Errorf("the base: %w", err)
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, program := range programs {
		architecture, file, _ := strings.Cut(program, "=")
		image, err := buildImage(o, base, architecture, file)
		if err != nil {
			return fmt.Errorf("the image for %s: %w", architecture, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	index = mutate.Annotations(index, labels(o)).(v1.ImageIndex)
	return writeLayout(o, index)
}

func writeLayout(o options, index v1.ImageIndex) error {
	dir, err := layout.Write(o.out, empty.Index)
	if err != nil {
		return err
	}
	if err := dir.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": o.version})); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

func buildImage(o options, base v1.Layer, architecture, file string) (v1.Image, error) {
	program, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	layer, err := newLayer(o.created, []entry{{name: "signet", mode: 0o755, content: program}})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	history := func(what string) v1.History { return v1.History{Created: v1.Time{Time: o.created}, CreatedBy: what} }
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: base, History: history("root certificates, time zones, user")},
		mutate.Addendum{Layer: layer, History: history("signet " + o.version)})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", architecture, v1.Time{Time: o.created}
	config.Config = v1.Config{
		User:         fmt.Sprintf("%d:%d", user, user),
		Entrypoint:   []string{"/signet"},
		Cmd:          []string{"serve"},
		Env:          []string{"PATH=/", "SIGNET_CONFIG=/" + stateDir + "/signet.yaml"},
		WorkingDir:   "/" + stateDir,
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Volumes:      map[string]struct{}{"/" + stateDir: {}},
		StopSignal:   "SIGTERM",
		Labels:       labels(o),
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, labels(o)).(v1.Image), nil
}

// labels returns the labels of an image and the annotations of its manifest; see the OCI image specification, annotations.
func labels(o options) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":       "signet",
		prefix + "description": "OAuth 2.0 token server for a company's own apps",
		prefix + "version":     o.version,
		prefix + "revision":    o.revision,
		prefix + "created":     o.created.Format(time.RFC3339),
		prefix + "licenses":    "Apache-2.0",
	}
}

// entry is a file of a layer, or a directory if its name ends with a slash. Its owner is root unless owner is set.
type entry struct {
	name    string
	mode    int64
	owner   int
	content []byte
}

func baseLayer(o options) (v1.Layer, error) {
	license, err := os.ReadFile(o.license)
	if err != nil {
		return nil, err
	}
	entries, err := zones(o.zoneinfo)
	if err != nil {
		return nil, err
	}
	entries = append(entries,
		entry{name: "etc/passwd", mode: 0o644, content: fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nsignet:x:%[1]d:%[1]d:signet:/%[2]s:/sbin/nologin\n", user, stateDir)},
		entry{name: "etc/group", mode: 0o644, content: fmt.Appendf(nil, "root:x:0:\nsignet:x:%d:\n", user)},
		entry{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: roots()},
		entry{name: "usr/share/doc/signet/LICENSE", mode: 0o644, content: license},
		entry{name: "tmp/", mode: 0o1777},
		entry{name: stateDir + "/", mode: 0o700, owner: user},
	)
	return newLayer(o.created, withParents(entries))
}

// roots returns Mozilla's root certificates as PEM. A root that is trusted for a part of its certificates only is left out, because PEM
// cannot express that.
func roots() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes everything
		}
	}
	return text.Bytes()
}

// zones reads the time zones of the Go toolchain.
func zones(file string) ([]entry, error) {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	defer archive.Close()
	var entries []entry
	for _, f := range archive.File {
		if f.FileInfo().IsDir() {
			continue
		}
		zone, err := f.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(zone)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: "usr/share/zoneinfo/" + f.Name, mode: 0o644, content: content})
	}
	return entries, nil
}

// withParents adds the directories that entries are in, and sorts all by name.
func withParents(entries []entry) []entry {
	all := map[string]entry{}
	for _, e := range entries {
		for dir := path.Dir(strings.TrimSuffix(e.name, "/")); dir != "."; dir = path.Dir(dir) {
			if _, ok := all[dir+"/"]; !ok {
				all[dir+"/"] = entry{name: dir + "/", mode: 0o755}
			}
		}
		all[e.name] = e
	}
	return slices.SortedFunc(maps.Values(all), func(a, b entry) int { return strings.Compare(a.name, b.name) })
}

// newLayer makes a layer in which every file has the same time.
func newLayer(modified time.Time, entries []entry) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.content)), ModTime: modified, Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
