package install

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/config"
	"signet/store"
	"signet/store/redis"
	"signet/store/redis/conn"
	"signet/store/seal"
)

const (
	redisPasswordVariable    = "SIGNET_REDIS_PASSWORD"
	sentinelPasswordVariable = "SIGNET_REDIS_SENTINEL_PASSWORD"
)

// OpenRedis connects to the Redis of the configuration.
func (o Opener) OpenRedis(ctx context.Context, cfg config.Config) (*redis.Store, error) {
	settings, err := RedisConfig(cfg, o.Getenv)
	if err != nil {
		return nil, err
	}
	settings.Log, settings.Observe, settings.Seals = o.Log, o.Observe, o.Seals
	if o.NoTimeout {
		settings.Timeout = 30 * time.Second
	}
	s, err := redis.Open(ctx, settings)
	if errors.Is(err, seal.ErrForged) {
		return nil, ExplainSeal(err)
	}
	if errors.Is(err, store.ErrUnavailable) {
		return nil, fmt.Errorf("store: %s does not answer as it should (%w); %s", StoreName(cfg), cli.OneLine(err), adviceOn(err))
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

// adviceOn returns which setting to check, by the error of Redis, its Sentinels or the TLS library.
func adviceOn(err error) string {
	for _, a := range advice {
		if a.matches(err) {
			return a.do
		}
	}
	return "is it running, and are address and kind in store right (rediss for TLS)?"
}

// advice is what adviceOn returns, the first that matches. withText is for errors that have neither a type nor a code.
var advice = []struct {
	matches func(error) bool
	do      string
}{
	{withCode("WRONGPASS"), "look at redis.username and redis.password_file (or SIGNET_REDIS_PASSWORD)"},
	{withCode("NOAUTH"), "set redis.password_file (or SIGNET_REDIS_PASSWORD), and redis.username for an ACL user"},
	{withCode("NOPERM"), "the ACL user lacks a right, or redis.prefix is not the one it has a right to; deploy/redis/users.acl has them all"},
	{withText("specified in configuration are unreachable: redis: nil"), // of go-redis, when each Sentinel has answered that there is none
		"the Sentinels have no master of that name; look at the name at the end of store"},
	{ofType[x509.UnknownAuthorityError], "look at redis.ca"},
	{hostDiffers, "look at redis.server_name"},
	{ofType[x509.HostnameError], "set redis.server_name to a name in the certificate"},
	{withText("certificate required"), "the server asks for a client certificate: set redis.cert and redis.key"}, // an alert of the server
	{ofType[tls.RecordHeaderError], "it does not speak TLS: write redis in place of rediss"},
	{withCode("MOVED"), "it is a node of a cluster: write redis+cluster://"},
	{withText("cluster support disabled"), "it is no cluster: write redis://, or redis+sentinel:// with the Sentinels' addresses"}, // its code is ERR
}

func withCode(code string) func(error) bool {
	return func(err error) bool { return conn.HasCode(err, code) }
}

func withText(part string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), part) }
}

func ofType[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// hostDiffers reports whether the certificate is for other hosts. Without a name of the kind that was asked for, the
// certificate of an address needs redis.server_name.
func hostDiffers(err error) bool {
	wrong, ok := errors.AsType[x509.HostnameError](err)
	if !ok {
		return false
	}
	c := wrong.Certificate
	return net.ParseIP(wrong.Host) == nil || len(c.IPAddresses) > 0
}

// RedisConfig returns the configuration of the backend. It reads the files that the configuration names.
func RedisConfig(cfg config.Config, getenv func(string) string) (redis.Config, error) {
	address, ok := cfg.RedisStore()
	if !ok {
		return redis.Config{}, errors.New("store: it is neither bolt:PATH nor a URL of Redis")
	}
	r := cfg.Redis
	c := redis.Config{
		Mode: conn.Mode(address.Mode), Addrs: address.Addrs, Master: address.Master, DB: address.DB,
		Username: r.Username, SentinelUsername: r.SentinelUsername,
		Prefix: r.Prefix, PoolSize: r.PoolSize, WaitReplicas: r.WaitReplicas, AuditEvents: cfg.Audit.Retain, Retention: auditRetention(cfg),
	}
	var passErr, sentinelErr, tlsErr error
	c.Password, passErr = secretSource("redis.password_file", r.PasswordFile, redisPasswordVariable, getenv)
	c.SentinelPassword, sentinelErr = secretSource("redis.sentinel_password_file", r.SentinelPasswordFile, sentinelPasswordVariable, getenv)
	if address.TLS {
		c.TLS, tlsErr = clientTLS("redis", r.CA, r.Cert, r.Key, r.ServerName)
	}
	return c, errors.Join(passErr, sentinelErr, tlsErr)
}

// secretSource returns a function that reads a secret from the variable, or from the file. The file is read again at
// each call, so that a secret can change while the server runs. Nil means that none is configured.
func secretSource(field, path, variable string, getenv func(string) string) (func() (string, error), error) {
	if value := getenv(variable); value != "" {
		return func() (string, error) { return value, nil }, nil
	}
	if path == "" {
		return nil, nil
	}
	read := func() (string, error) {
		text, err := cli.ReadSecretFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s: %w; put it there, in a file that is yours alone, or set %s", field, err, variable)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w (%s can hold it instead)", field, err, variable)
		}
		return strings.TrimRight(text, "\r\n"), nil
	}
	secret, err := read()
	if err == nil && secret == "" {
		err = fmt.Errorf("%s: %s is empty; put it there", field, path)
	}
	return read, err
}

// PasswordPepper returns what stands behind passwords whose hashes came from Devise; nil: nothing is configured.
func PasswordPepper(cfg config.Config, getenv func(string) string) ([]byte, error) {
	pepper, err := secretSource("password.import.pepper_file", cfg.Password.Import.PepperFile, "SIGNET_PASSWORD_PEPPER", getenv)
	if pepper == nil || err != nil {
		return nil, err
	}
	text, err := pepper()
	return []byte(text), err
}

// clientTLS returns the settings for connections to a server, of the section of the configuration that has these.
func clientTLS(section, ca, cert, key, serverName string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	var problems []error
	if ca != "" {
		pem, err := os.ReadFile(ca)
		c.RootCAs = x509.NewCertPool()
		if err == nil && !c.RootCAs.AppendCertsFromPEM(pem) {
			err = fmt.Errorf("%s has no certificate in it", ca)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s.ca: %w", section, err))
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s.cert: %w", section, err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, errors.Join(problems...)
}
