package install

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"signet/store/redis/conn"
)

// reply is an error reply of Redis.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

// TestAdviceOn: the advice follows the type or the code of an error, however deep it is wrapped.
func TestAdviceOn(t *testing.T) {
	address := &x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}
	for _, c := range []struct {
		err  error
		want string
	}{
		{reply("WRONGPASS invalid username-password pair"), "look at redis.username"},
		{reply("NOAUTH Authentication required."), "set redis.password_file"},
		{reply("NOPERM No permissions"), "the ACL user lacks a right"},
		{reply("MOVED 3999 127.0.0.1:6381"), "a node of a cluster"},
		{reply("ERR This instance has cluster support disabled"), "it is no cluster"},
		{errors.New("redis: all sentinels specified in configuration are unreachable: redis: nil"), "no master of that name"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "look at redis.ca"},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "a.example.com"}}, "look at redis.server_name"},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: address, Host: "192.0.2.2"}}, "look at redis.server_name"},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "192.0.2.2"}}, "set redis.server_name"},
		{errors.New("remote error: tls: certificate required"), "set redis.cert and redis.key"},
		{tls.RecordHeaderError{}, "write redis in place of rediss"},
		{errors.New("connection refused; NOAUTH is in a text only"), "is it running"},
	} {
		if got := adviceOn(conn.Unavailable("connecting", fmt.Errorf("wrapped: %w", c.err))); !strings.Contains(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}
