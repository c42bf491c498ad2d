package redistest

import (
	"crypto/x509"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	files := Certificates(t)
	for _, test := range []struct {
		name  string
		serve TLS
		show  Pair
		judge func(error) bool // nil for a client that is served
	}{
		{name: "good", serve: TLS{}},
		{name: "a client certificate nobody asks for", serve: TLS{}, show: files.ClientPair},
		{name: "with the client certificate", serve: TLS{ClientCerts: true}, show: files.ClientPair},
		{name: "without the client certificate", serve: TLS{ClientCerts: true}, judge: func(err error) bool { return err != nil }},
		{name: "a stranger's client certificate", serve: TLS{ClientCerts: true}, show: files.Stranger, judge: func(err error) bool { return err != nil }},
		{name: "expired", serve: TLS{Pair: files.Expired}, judge: func(err error) bool {
			var invalid x509.CertificateInvalidError
			return errors.As(err, &invalid) && invalid.Reason == x509.Expired
		}},
		{name: "wrong name", serve: TLS{Pair: files.WrongName}, judge: func(err error) bool { return errors.As(err, new(x509.HostnameError)) }},
		{name: "from another authority", serve: TLS{Pair: files.Stranger}, judge: func(err error) bool {
			return errors.As(err, new(x509.UnknownAuthorityError))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.serve.Files = files
			s := Start(t, Config{TLS: &test.serve})
			o := hasty(s)
			o.TLSConfig = files.Client(test.show)
			c := redis.NewClient(o)
			defer c.Close()
			err := c.Ping(t.Context()).Err()
			if test.judge == nil && err != nil || test.judge != nil && !test.judge(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTLSServersAreClientsToo(t *testing.T) {
	t.Parallel()
	files := Certificates(t)
	r := StartReplicated(t, Config{TLS: &TLS{Files: files, ClientCerts: true}}, 1)
	if err := r.Master.Client().Set(t.Context(), "k", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	WaitInSync(t, r.Master, r.Replicas...)
	if got := r.Replicas[0].Do("get", "k"); got != "1" {
		t.Errorf("the replica has %v, want 1", got)
	}
	plain := r.Master.Options()
	plain.TLSConfig = nil
	c := redis.NewClient(plain)
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("without TLS: got no error")
	}
}
