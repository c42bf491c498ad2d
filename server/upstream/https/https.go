package https

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signet/keys/secret"
	"signet/server/outbound"
	"signet/server/strictjson"
	"signet/server/upstream"
)

// Config configures a Source. URL and one of Secret and a certificate in TLS are required.
type Config struct {
	secret.Hidden // Secret is not to be printed

	URL    string
	Secret []byte      // for the signature; nil: requests have none
	TLS    *tls.Config // for the server's certificate and the client's own; nil: the system's authorities
	Dialer outbound.Dialer
	Now    func() time.Time // nil: time.Now
}

// Source asks one URL.
type Source struct {
	cfg    Config
	client *http.Client
}

// maxAnswer bounds the body of a response.
const maxAnswer = 64 << 10

// New returns a Source.
func New(cfg Config) (*Source, error) {
	if u, err := url.Parse(cfg.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("the URL of the upstream is not one of https")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Source{cfg: cfg, client: cfg.Dialer.Client(cfg.TLS)}, nil
}

// Check implements upstream.Source.
func (s *Source) Check(ctx context.Context, username, password string) (upstream.Answer, error) {
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		return upstream.Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return upstream.Answer{}, outbound.WithoutURL(err)
	}
	s.sign(req, body)
	resp, err := s.client.Do(req)
	if err != nil {
		return upstream.Answer{}, upstream.NoAnswer(outbound.WithoutURL(err))
	}
	defer resp.Body.Close()
	return s.read(resp)
}

// sign sets the headers of a request.
func (s *Source) sign(req *http.Request, body []byte) {
	timestamp := strconv.FormatInt(s.cfg.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "signet")
	req.Header.Set("Idempotency-Key", rand.Text())
	req.Header.Set("Signet-Timestamp", timestamp)
	if s.cfg.Secret != nil {
		req.Header.Set("Signet-Signature", Signature(s.cfg.Secret, timestamp, body))
	}
}

// Signature returns the value of Signet-Signature.
func Signature(key []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *Source) read(resp *http.Response) (upstream.Answer, error) {
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return upstream.Answer{}, upstream.NoAnswer(errors.New("status " + strconv.Itoa(code)))
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return upstream.Answer{}, upstream.BadAnswer("status %d; %s", code, s.hint())
	case code != http.StatusOK:
		return upstream.Answer{}, upstream.BadAnswer("status %d", code)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return upstream.Answer{}, upstream.BadAnswer("its type is not application/json")
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return upstream.Answer{}, upstream.NoAnswer(outbound.WithoutURL(err))
	case len(data) > maxAnswer:
		return upstream.Answer{}, upstream.BadAnswer("it is larger than %d KiB", maxAnswer>>10)
	}
	return parse(data)
}

// hint returns what to look at where the other side does not accept who calls.
func (s *Source) hint() string {
	if s.cfg.Secret == nil {
		return "it may not accept the client certificate"
	}
	return "the two sides may have different secrets, or clocks that differ by minutes"
}

// parse reads the body of a response.
func parse(data []byte) (upstream.Answer, error) {
	if data = bytes.TrimSpace(data); string(data) == `"no"` {
		return upstream.Answer{}, nil
	}
	var in struct {
		ID       json.RawMessage            `json:"id"`
		Claims   map[string]json.RawMessage `json:"claims"`
		Disabled *bool                      `json:"disabled"`
	}
	if err := strictjson.Unmarshal(data, &in); err != nil {
		return upstream.Answer{}, upstream.BadAnswer("%s", err)
	}
	if len(in.ID) == 0 {
		return upstream.Answer{}, upstream.BadAnswer("there is no id")
	}
	return upstream.Answer{Match: true, ID: in.ID, Claims: in.Claims, Disabled: in.Disabled != nil && *in.Disabled}, nil
}
