package servertest

import (
	"context"
	"sync"
	"time"

	"signet/keys"
	"signet/keys/jose"
	"signet/keys/masterkey"
)

// installID is that of every test server, which all begin with the same keyring.
const installID = "servertest"

// keyring is a sealed keyring document, the storage that keys.Init writes it to, and the master key that opens it.
type keyring struct {
	master     masterkey.Key
	algorithms []string
	version    uint64
	document   []byte
}

func (k *keyring) LoadKeyring(context.Context) (uint64, []byte, error) {
	return k.version, k.document, nil
}

func (k *keyring) SwapKeyring(_ context.Context, _, next uint64, document []byte) (bool, error) {
	k.version, k.document = next, document
	return true, nil
}

func (k *keyring) config(now func() time.Time) keys.Config {
	return keys.Config{Storage: k, InstallID: installID, Master: []masterkey.Key{k.master}, Now: now, Algorithms: k.algorithms}
}

// The algorithms of a keyring. RSA keys take a tenth of a second each, so only tests that need one have it.
var (
	onlyES256 = []string{jose.ES256}
	withRS256 = []string{jose.ES256, jose.RS256}
)

func newKeyring(algorithms []string, now func() time.Time) (*keyring, error) {
	k := &keyring{master: masterkey.New(), algorithms: algorithms}
	return k, keys.Init(context.Background(), k.config(now))
}

// firstKeyring returns the keyring that a server begins with.
type firstKeyring func(now func() time.Time) (*keyring, error)

// shared returns the same keyring to every server of a test binary.
func shared(algorithms []string) firstKeyring {
	once := sync.OnceValues(func() (*keyring, error) { return newKeyring(algorithms, NewClock().Now) })
	return func(func() time.Time) (*keyring, error) { return once() }
}

var sharedES256, sharedRS256 = shared(onlyES256), shared(withRS256)
