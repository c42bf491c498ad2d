package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/config"
)

// healthcheckTimeout is shorter than the default limit of container runtimes.
const healthcheckTimeout = 5 * time.Second

// NewHealthcheck returns the command `signet healthcheck`.
func NewHealthcheck(app *cli.App) *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a server whether it is ready",
		Long: "Ask a server whether it is ready. The exit status is 0 if it is and 1 if not. It is for containers without\n" +
			"curl. Without --url it asks the server of the configuration, on this machine and without a proxy. With\n" +
			"--url it uses HTTPS_PROXY and HTTP_PROXY as other programs do. Redirects are not followed.",
		Example: "signet healthcheck --config /etc/signet/signet.yaml\nsignet healthcheck --url https://auth.example.com",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := cli.NoRedirects(nil)
			client.Timeout = healthcheckTimeout
			if address == "" {
				c, err := configfile.Load(app)
				if err != nil {
					return err
				}
				if address, client.Transport, err = localServer(c); err != nil {
					return err
				}
			}
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, strings.TrimRight(address, "/")+"/readyz", nil)
			if err != nil {
				return cli.Usagef("%q is not a URL; write it like https://auth.example.com", address)
			}
			return askReady(app, client, req)
		},
	}
	cmd.Flags().StringVar(&address, "url", "", "ask the server at `URL`")
	return configfile.Flag(app, cmd)
}

func askReady(app *cli.App, client *http.Client, req *http.Request) error {
	resp, err := client.Do(req)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return fmt.Errorf("no valid answer from %s: %w; if it should run there, see its log", req.URL, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s; the server's log has the reason", req.URL, resp.Status)
	}
	return app.Print(map[string]bool{"ready": true}, func(w io.Writer) { cli.Row(w, "ready") })
}

// localServer returns the address of the server of a configuration on its own machine, and a transport for it. The
// certificate is for the host of the issuer, and is trusted because the configuration names it.
func localServer(c config.Config) (string, http.RoundTripper, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	address := net.JoinHostPort(host, port)
	if c.TLS.Cert == "" {
		return "http://" + address, directTransport(), nil
	}
	transport, err := transportFor(c)
	return "https://" + address, transport, err
}

// directTransport uses no proxy, also if HTTP_PROXY is set: the address is one of this machine, which a proxy would not
// reach.
func directTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	return t
}

func transportFor(c config.Config) (http.RoundTripper, error) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	pem, err := os.ReadFile(c.TLS.Cert)
	if err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(pem)
	t := directTransport()
	t.TLSClientConfig = &tls.Config{ServerName: issuer.Hostname(), RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}
