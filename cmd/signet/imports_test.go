package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const goOAuth2 = "github.com/go-oauth2/oauth2"

// arrows lists which packages of ours each package may import. What is not listed may import none
// and must be listed before it exists.
var arrows = map[string][]string{
	"cmd/signet":                              {"cmd/signet/internal/cli", "cmd/signet/internal/connect", "cmd/signet/internal/daemon", "cmd/signet/internal/doctor", "cmd/signet/internal/drill", "cmd/signet/internal/inspect", "cmd/signet/internal/install", "cmd/signet/internal/manage", "cmd/signet/internal/manage/apply", "cmd/signet/internal/manage/clients", "cmd/signet/internal/manage/signingkeys", "cmd/signet/internal/preview", "cmd/signet/internal/restore", "cmd/signet/internal/transfer"},
	"cmd/signet/internal/cli":                 {},
	"cmd/signet/internal/clientfile":          {"cmd/signet/internal/cli", "config/reader", "keys/jose", "server/admin/api", "server/admin/clientspec", "server/clientauth", "store"},
	"cmd/signet/internal/configfile":          {"cmd/signet/internal/cli", "config"},
	"cmd/signet/internal/connect":             {"cmd/signet/internal/cli", "cmd/signet/internal/configfile", "config", "server/admin/api", "server/admin/client"},
	"cmd/signet/internal/daemon":              {"cmd/signet/internal/cli", "cmd/signet/internal/configfile", "cmd/signet/internal/demo", "cmd/signet/internal/install", "cmd/signet/internal/storemetrics", "cmd/signet/internal/tracing", "config", "keys", "keys/clockcheck", "keys/mark", "keys/masterkey", "keys/pkcs11", "keys/privatekey", "server", "server/connlimit", "server/edge", "server/oauth", "server/page", "server/password", "server/password/breached", "server/password/hash", "server/password/worker", "server/signin", "server/syntax", "server/throttle", "store", "store/bolt", "store/seal"},
	"cmd/signet/internal/demo":                {"cmd/signet/internal/cli", "server/account", "server/authorize", "server/clientauth", "server/password", "server/syntax", "store"},
	"cmd/signet/internal/doctor":              {"cmd/signet/internal/cli", "cmd/signet/internal/configfile", "cmd/signet/internal/connect", "cmd/signet/internal/daemon", "cmd/signet/internal/install", "config", "keys", "keys/mark", "keys/masterkey", "keys/pkcs11", "keys/privatekey", "server/account", "server/admin/api", "server/admin/clientspec", "server/outbound", "server/replica", "store", "store/bolt", "store/redis", "store/seal"},
	"cmd/signet/internal/drill":               {"cmd/signet/internal/cli", "cmd/signet/internal/connect", "cmd/signet/internal/inspect", "config/duration", "keys/jose", "server/admin/api", "server/admin/client", "server/syntax"},
	"cmd/signet/internal/inspect":             {"cmd/signet/internal/cli", "keys/jose", "server/syntax"},
	"cmd/signet/internal/install":             {"cmd/signet/internal/cli", "cmd/signet/internal/configfile", "config", "keys", "keys/clockcheck", "keys/document", "keys/jose", "keys/mark", "keys/masterkey", "keys/pkcs11", "keys/privatekey", "keys/rotation", "keys/timetable", "server/backchannel", "server/outbound", "server/upstream", "server/upstream/https", "server/upstream/ldap", "store", "store/bolt", "store/redis", "store/redis/conn", "store/seal"},
	"cmd/signet/internal/install/installtest": {"cmd/signet/internal/install", "keys", "keys/keystest", "keys/masterkey", "store"},
	"cmd/signet/internal/keychart":            {"cmd/signet/internal/cli", "server/admin/api"},
	"cmd/signet/internal/manage":              {"cmd/signet/internal/cli", "cmd/signet/internal/connect", "cmd/signet/internal/manage/userimport", "config/duration", "server/admin/api", "server/admin/client", "server/password/breached", "store"},
	"cmd/signet/internal/manage/apply":        {"cmd/signet/internal/cli", "cmd/signet/internal/clientfile", "cmd/signet/internal/connect", "server/admin/api", "server/admin/client", "server/admin/clientspec", "server/clientauth", "server/syntax"},
	"cmd/signet/internal/manage/clients":      {"cmd/signet/internal/cli", "cmd/signet/internal/clientfile", "cmd/signet/internal/connect", "config/duration", "keys/jose", "server/admin/api"},
	"cmd/signet/internal/manage/signingkeys":  {"cmd/signet/internal/cli", "cmd/signet/internal/connect", "cmd/signet/internal/keychart", "config/duration", "server/admin/api", "server/admin/client"},
	"cmd/signet/internal/manage/userimport":   {"cmd/signet/internal/cli", "cmd/signet/internal/connect", "cmd/signet/internal/usertable", "config/duration", "server/admin/api", "server/admin/client", "server/password", "server/password/hash"},
	"cmd/signet/internal/preview":             {"cmd/signet/internal/cli", "cmd/signet/internal/configfile", "cmd/signet/internal/daemon", "config", "server/edge", "server/page"},
	"cmd/signet/internal/restore":             {"cmd/signet/internal/cli", "cmd/signet/internal/configfile", "cmd/signet/internal/install", "config", "keys", "keys/mark", "keys/masterkey", "keys/pkcs11", "keys/rotation", "server/audit", "store", "store/archive", "store/bolt", "store/bolt/file", "store/recovery", "store/redis", "store/seal"},
	"cmd/signet/internal/storemetrics":        {"store", "store/bolt", "store/redis"},
	"cmd/signet/internal/tracing":             {"server/edge"},
	"cmd/signet/internal/transfer":            {"cmd/signet/internal/cli", "cmd/signet/internal/configfile", "cmd/signet/internal/connect", "cmd/signet/internal/install", "config", "keys/mark", "store", "store/archive", "store/bolt", "store/seal"},
	"cmd/signet/internal/usertable":           {"cmd/signet/internal/usertable/sqldump", "server/admin/api"},
	"cmd/signet/internal/usertable/sqldump":   {},
	"cmd/signet/e2e":                          {},
	"config":                                  {"config/duration", "config/reader", "config/redisurl", "keys/timetable", "server/page/palette", "server/syntax"},
	"config/duration":                         {},
	"config/reader":                           {"config/duration"},
	"config/redisurl":                         {},
	"keys":                                    {"keys/clockcheck", "keys/document", "keys/jose", "keys/keyset", "keys/mark", "keys/masterkey", "keys/privatekey", "keys/rotation", "keys/timetable"},
	"keys/document":                           {"keys/masterkey", "keys/privatekey", "keys/rotation"},
	"keys/keyset":                             {"keys/jose", "keys/privatekey", "keys/rotation"},
	"keys/keystest":                           {"keys/jose"},
	"keys/privatekey":                         {"keys/jose", "keys/secret"},
	"keys/clockcheck":                         {},
	"keys/jose":                               {"keys/secret"},
	"keys/mark":                               {"keys/masterkey"},
	"keys/masterkey":                          {"keys/secret"},
	"keys/pkcs11":                             {"keys/jose", "keys/privatekey"},
	"keys/rotation":                           {"keys/timetable"},
	"keys/timetable":                          {},
	"keys/secret":                             {},
	"server":                                  {"keys", "keys/clockcheck", "keys/privatekey", "keys/rotation", "keys/secret", "server/account", "server/accountpage", "server/admin", "server/audit", "server/authorize", "server/backchannel", "server/browser", "server/clientauth", "server/connlimit", "server/discovery", "server/edge", "server/logout", "server/metrics", "server/oauth", "server/outage", "server/page", "server/password", "server/replica", "server/signin", "server/syntax", "server/throttle", "server/token", "server/upstream", "store", "store/seal"},
	"server/account":                          {"server/edge", "server/password", "server/password/hash", "server/syntax", "store"},
	"server/accountpage":                      {"server/audit", "server/browser", "server/clientauth", "server/edge", "server/page", "server/password", "server/sealed", "server/signin", "server/syntax", "server/token", "store"},
	"server/admin":                            {"keys", "keys/clockcheck", "server/account", "server/admin/api", "server/admin/call", "server/admin/clientspec", "server/admin/input", "server/admin/keyring", "server/admin/users", "server/audit", "server/clientauth", "server/connlimit", "server/edge", "server/password", "server/replica", "server/syntax", "server/throttle", "server/token", "store"},
	"server/admin/api":                        {},
	"server/admin/client":                     {"server/admin/api", "server/syntax"},
	"server/admin/clientspec":                 {"keys/jose", "server/admin/api", "server/clientauth", "server/edge", "server/syntax", "store"},
	"server/admin/call":                       {"server/admin/api", "server/audit", "server/edge", "store"},
	"server/admin/input":                      {"server/admin/api", "server/edge", "server/strictjson"},
	"server/admin/keyring":                    {"keys", "keys/clockcheck", "keys/rotation", "keys/timetable", "server/admin/api", "server/admin/call", "server/admin/input", "server/edge", "server/replica", "store"},
	"server/admin/users":                      {"server/account", "server/admin/api", "server/admin/call", "server/admin/input", "server/audit", "server/clientauth", "server/edge", "server/password", "server/password/hash", "server/syntax", "server/token", "store"},
	"server/audit":                            {"server/edge", "server/loglimit", "store"},
	"server/authorize":                        {"server/browser", "server/clientauth", "server/edge", "server/page", "server/sealed", "server/signin", "server/syntax", "server/token", "store"},
	"server/backchannel":                      {"server/audit", "server/outbound", "server/token", "store"},
	"server/browser":                          {"server/edge", "server/sealed", "server/syntax", "store"},
	"server/clientauth":                       {"keys", "keys/jose", "server/admin/api", "server/audit", "server/edge", "server/syntax", "server/throttle", "store"},
	"server/connlimit":                        {"server/edge"},
	"server/discovery":                        {"keys", "keys/jose", "server/admin/api", "server/clientauth", "server/edge", "server/syntax"},
	"server/edge":                             {"server/loglimit", "server/outage", "server/syntax"},
	"server/logout":                           {"server/audit", "server/browser", "server/clientauth", "server/edge", "server/page", "server/sealed", "server/syntax", "server/token", "store"},
	"server/loglimit":                         {},
	"server/metrics":                          {"keys", "keys/jose", "keys/rotation", "server/password"},
	"server/oauth":                            {"keys", "keys/keyset", "server/account", "server/admin/api", "server/audit", "server/clientauth", "server/edge", "server/oauth/engine", "server/outage", "server/signin", "server/syntax", "server/token", "store"},
	"server/oauth/engine":                     {},
	"server/outage":                           {},
	"server/outbound":                         {},
	"server/page":                             {"server/edge", "server/page/palette"},
	"server/page/palette":                     {},
	"server/password":                         {"server/password/hash", "server/password/worker"},
	"server/password/breached":                {},
	"server/password/hash":                    {},
	"server/password/worker":                  {"server/password/hash"},
	"server/replica":                          {"keys", "store"},
	"server/sealed":                           {},
	"server/servertest":                       {"keys", "keys/jose", "keys/masterkey", "keys/rotation", "server", "server/edge", "server/oauth", "server/password", "server/password/hash", "server/signin", "server/throttle", "store", "store/bolt"},
	"server/signin":                           {"server/account", "server/audit", "server/clientauth", "server/edge", "server/password", "server/password/hash", "server/throttle", "server/upstream", "store"},
	"server/strictjson":                       {},
	"server/syntax":                           {},
	"server/throttle":                         {"store"},
	"server/token":                            {"keys", "keys/clockcheck", "keys/jose", "keys/keyset", "server/sealed", "server/syntax", "store"},
	"store":                                   {},
	"store/archive":                           {"store", "store/seal"},
	"store/bolt":                              {"store", "store/bolt/commit", "store/bolt/file", "store/bolt/layout", "store/bolt/throttle", "store/bolt/trail", "store/bolt/upkeep", "store/codec", "store/seal"},
	"store/bolt/commit":                       {"store", "store/bolt/file", "store/bolt/layout", "store/codec", "store/seal"},
	"store/bolt/file":                         {"store", "store/bolt/pages"},
	"store/bolt/layout":                       {"store", "store/bolt/file", "store/codec", "store/seal"},
	"store/bolt/pages":                        {},
	"store/bolt/throttle":                     {"store", "store/bolt/commit", "store/bolt/file", "store/bolt/layout", "store/seal"},
	"store/bolt/trail":                        {"store", "store/bolt/commit", "store/bolt/layout"},
	"store/bolt/upkeep":                       {"store", "store/bolt/commit", "store/bolt/file", "store/bolt/layout", "store/bolt/pages", "store/bolt/throttle"},
	"store/codec":                             {"store"},
	"store/recovery":                          {"store"},
	"store/redis":                             {"store", "store/redis/conn", "store/redis/layout", "store/redis/logout", "store/redis/record", "store/redis/replica", "store/redis/revocation", "store/redis/script", "store/redis/throttle", "store/redis/trail", "store/redis/transfer", "store/seal"},
	"store/redis/conn":                        {"store"},
	"store/redis/layout":                      {"store", "store/codec", "store/seal"},
	"store/redis/logout":                      {"store", "store/codec", "store/redis/conn", "store/redis/layout", "store/redis/script"},
	"store/redis/record":                      {"store", "store/codec", "store/redis/conn", "store/redis/layout", "store/redis/logout", "store/redis/replica", "store/redis/revocation", "store/redis/script", "store/redis/throttle", "store/redis/trail"},
	"store/redis/redistest":                   {"store/redis/redistest/network"},
	"store/redis/redistest/network":           {},
	"store/redis/replica":                     {"store", "store/redis/conn", "store/redis/layout", "store/redis/revocation", "store/seal"},
	"store/redis/revocation":                  {"store", "store/codec"},
	"store/redis/script":                      {"store", "store/redis/conn"},
	"store/redis/throttle":                    {"store", "store/codec", "store/redis/conn", "store/redis/layout", "store/redis/script"},
	"store/redis/trail":                       {"store", "store/codec", "store/redis/conn", "store/redis/layout", "store/redis/logout", "store/redis/script"},
	"store/redis/transfer":                    {"store", "store/redis/conn", "store/redis/layout", "store/redis/record", "store/redis/replica", "store/redis/script", "store/redis/trail"},
	"store/seal":                              {},
	"store/storetest":                         {"store"},
	"server/upstream":                         {"server/account", "server/audit", "server/edge", "server/password", "server/syntax", "store"},
	"server/upstream/https":                   {"keys/secret", "server/outbound", "server/strictjson", "server/upstream"},
	"server/upstream/ldap":                    {"keys/secret", "server/outbound", "server/upstream"},
}

type goPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

// TestImports holds the tree to its plan, in both directions: a package imports what its row has, and nothing else.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "signet/")
		allowed, known := arrows[name]
		if !known {
			t.Errorf("%s is not in the plan; put it under cmd, server, store, keys, config or deploy and list it here", name)
			continue
		}
		unused := slices.Clone(allowed)
		for _, imported := range p.Imports {
			ours, found := strings.CutPrefix(imported, "signet/")
			if found && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, which the plan does not have", name, ours)
			}
			unused = slices.DeleteFunc(unused, func(s string) bool { return s == ours })
		}
		if len(unused) > 0 {
			t.Errorf("%s does not import %s any more; take it out of the plan", name, strings.Join(unused, ", "))
		}
	}
}

// TestGoOAuth2StaysBehindItsSeam: one package imports the grant engine, and never its bundled stores
// and token generators.
func TestGoOAuth2StaysBehindItsSeam(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, file := range p.GoFiles {
			place := path.Join(strings.TrimPrefix(p.ImportPath, "signet/"), file)
			for _, imported := range fileImports(t, filepath.Join(p.Dir, file)) {
				if strings.HasPrefix(imported, goOAuth2) && path.Dir(place) != "server/oauth/engine" {
					t.Errorf("%s imports %s; only server/oauth/engine may", place, imported)
				}
				if strings.HasPrefix(imported, goOAuth2) && (path.Base(imported) == "store" || path.Base(imported) == "generates") {
					t.Errorf("%s imports %s, which we replace", place, imported)
				}
			}
		}
	}
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	list, err := goList()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if len(list) < 5 {
		t.Fatalf("go list found only %d packages", len(list))
	}
	return list
}

// goList lists our packages, once.
var goList = sync.OnceValues(func() (list []goPackage, err error) {
	cmd := exec.Command("go", "list", "-e", "-tags=pkcs11", "-json=ImportPath,Dir,GoFiles,Imports", "./...") // with the files that have tags
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=1")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
})

func fileImports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, spec := range parsed.Imports {
		list = append(list, strings.Trim(spec.Path.Value, `"`))
	}
	return list
}
