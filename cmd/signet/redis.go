package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"signet/config"
	"signet/store"
	"signet/store/redis"
)

const (
	redisPasswordVariable    = "SIGNET_REDIS_PASSWORD"
	sentinelPasswordVariable = "SIGNET_REDIS_SENTINEL_PASSWORD"
)

func (o opener) openRedis(ctx context.Context, cfg config.Config) (*redis.Store, error) {
	settings, err := redisConfig(cfg, o.getenv)
	if err != nil {
		return nil, err
	}
	settings.Log, settings.Observe = o.log, o.observe
	s, err := redis.Open(ctx, settings)
	if errors.Is(err, store.ErrUnavailable) {
		return nil, fmt.Errorf("store: %s does not answer as it should (%w); is it running, and is store right?", storeName(cfg), err)
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

// redisConfig turns the configuration into that of the backend, and reads the files it names.
func redisConfig(cfg config.Config, getenv func(string) string) (redis.Config, error) {
	address, ok := cfg.RedisStore()
	if !ok {
		return redis.Config{}, errors.New("store: it is neither bolt:PATH nor a URL of Redis")
	}
	r := cfg.Redis
	c := redis.Config{
		Mode: redis.Mode(address.Mode), Addrs: address.Addrs, Master: address.Master, DB: address.DB,
		Username: r.Username, SentinelUsername: r.SentinelUsername,
		Prefix: r.Prefix, PoolSize: r.PoolSize, WaitReplicas: r.WaitReplicas, AuditEvents: cfg.Audit.Retain,
	}
	var passErr, sentinelErr, tlsErr error
	c.Password, passErr = secretSource("redis.password_file", r.PasswordFile, getenv(redisPasswordVariable))
	c.SentinelPassword, sentinelErr = secretSource("redis.sentinel_password_file", r.SentinelPasswordFile, getenv(sentinelPasswordVariable))
	if address.TLS {
		c.TLS, tlsErr = redisTLS(r)
	}
	return c, errors.Join(passErr, sentinelErr, tlsErr)
}

// secretSource returns where a password comes from: the variable, or the file, which is read again
// each time so that a password can change while the server runs. Nil means that there is none.
func secretSource(field, path, variable string) (func() (string, error), error) {
	if variable != "" {
		return func() (string, error) { return variable, nil }, nil
	}
	if path == "" {
		return nil, nil
	}
	read := func() (string, error) {
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", field, err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return "", fmt.Errorf("%s: others may read %s; make it yours alone with `chmod 600 %s`", field, path, shellQuote(path))
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", field, err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	secret, err := read()
	if err == nil && secret == "" {
		err = fmt.Errorf("%s: %s is empty", field, path)
	}
	return read, err
}

func redisTLS(r config.Redis) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: r.ServerName}
	var problems []error
	if r.CA != "" {
		pem, err := os.ReadFile(r.CA)
		c.RootCAs = x509.NewCertPool()
		if err == nil && !c.RootCAs.AppendCertsFromPEM(pem) {
			err = fmt.Errorf("%s has no certificate in it", r.CA)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("redis.ca: %w", err))
		}
	}
	if r.Cert != "" {
		pair, err := tls.LoadX509KeyPair(r.Cert, r.Key)
		if err != nil {
			problems = append(problems, fmt.Errorf("redis.cert: %w", err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, errors.Join(problems...)
}
