package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/inspect"
	"signet/keys/jose"
	"signet/server/admin/api"
)

// round does once what apps and services do, and records failures.
func (d *rehearsal) round(ctx context.Context) {
	r := &d.report
	r.Rounds++
	set, err := d.fetchKeySet(ctx)
	if err != nil {
		d.fail(ctx, "key set", err)
	}
	d.recordVisible(set)
	if d.opt.client == "" {
		kid, alg, err := d.activeKey(ctx)
		if err != nil {
			d.fail(ctx, "admin API", err)
			return
		}
		d.recordSigner(kid, alg, "", time.Time{})
		if err := hasKey(set, kid); err != nil {
			d.fail(ctx, "key set", err)
		}
		return
	}
	token, err := d.askToken(ctx)
	if err != nil {
		d.fail(ctx, "token", err)
	} else {
		d.verify(ctx, set, token)
	}
	if d.last != "" && d.last != token && time.Until(d.lastExp) > time.Second {
		d.verifyWith(ctx, set, "old token", d.last)
	}
}

// fail records a failure, unless the drill was interrupted.
func (d *rehearsal) fail(ctx context.Context, check string, err error) {
	if ctx.Err() == nil {
		d.report.fail(time.Now(), check, err.Error())
	}
}

// verify verifies a new token and records which key has signed it.
func (d *rehearsal) verify(ctx context.Context, set inspect.KeySet, token string) {
	in, err := inspect.Decode(token)
	if err != nil {
		d.fail(ctx, "token", err)
		return
	}
	var header struct {
		Kid string `json:"kid"`
		Alg string `json:"alg"`
	}
	_ = inspect.Unmarshal(in.Header, &header) // missing members fail below
	d.recordSigner(header.Kid, header.Alg, token, inspect.Times(in.Claims)["exp"])
	d.verifyWith(ctx, set, "token", token)
}

// verifyWith verifies a token with the key set, and calls the service with it.
func (d *rehearsal) verifyWith(ctx context.Context, set inspect.KeySet, what, token string) {
	if err := inspect.Verify(token, d.report.Issuer, set); err != nil {
		d.fail(ctx, what+" and key set", err)
	}
	if d.opt.verifier == "" {
		return
	}
	if err := d.callVerifier(ctx, token); err != nil {
		d.fail(ctx, what+" at verifier", err)
	}
}

// recordSigner records which key signs, and keeps the last token of the old key.
func (d *rehearsal) recordSigner(kid, alg, token string, exp time.Time) {
	d.signer = kid
	if d.alg == "" {
		d.alg = alg
	}
	r := d.rotation()
	switch {
	case r == nil || kid == r.OldKey:
		d.last, d.lastExp = token, exp
	case kid == r.NewKey && r.SignedAt.IsZero():
		r.SignedAt = time.Now().UTC()
		if visible, ok := d.seen[kid]; ok {
			r.VisibleAt, r.VisibleFor = visible, r.SignedAt.Sub(visible).Seconds()
			r.VisibleAtStart = visible.Equal(d.report.StartedAt)
		}
	}
}

// recordVisible records the time of keys that are new in the key set.
func (d *rehearsal) recordVisible(set inspect.KeySet) {
	now := time.Now().UTC()
	if d.report.Rounds == 1 {
		now = d.report.StartedAt
	}
	for _, k := range set.Keys {
		if _, ok := d.seen[k.Kid]; !ok {
			d.seen[k.Kid] = now
		}
	}
}

func hasKey(s inspect.KeySet, kid string) error {
	if slices.ContainsFunc(s.Keys, func(k jose.JWK) bool { return k.Kid == kid }) {
		return nil
	}
	return fmt.Errorf("it has no key with the kid %q, which signs", kid)
}

// fetchKeySet fetches the key set as a verifier does, and records its cache headers.
func (d *rehearsal) fetchKeySet(ctx context.Context) (set inspect.KeySet, err error) {
	resp, err := d.send(ctx, http.MethodGet, d.report.KeySet, nil, nil)
	if err != nil {
		return inspect.KeySet{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return inspect.KeySet{}, fmt.Errorf("it answered %s", resp.Status)
	}
	d.report.recordCaching(resp.Header)
	if err := inspect.ReadJSON(resp.Body, &set); err != nil {
		return inspect.KeySet{}, err
	}
	return set, nil
}

func (d *rehearsal) askToken(ctx context.Context) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	req := http.Request{Header: header}
	req.SetBasicAuth(url.QueryEscape(d.opt.client), url.QueryEscape(d.secret))
	resp, err := d.send(ctx, http.MethodPost, strings.TrimRight(d.report.Issuer, "/")+"/token", header, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Token       string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	err = inspect.ReadJSON(resp.Body, &answer)
	switch {
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the server answered %s: %s", resp.Status, cli.OrDash(strings.Trim(answer.Error+": "+answer.Description, ": ")))
	case err != nil || answer.Token == "":
		return "", errors.New("the server answered without a token")
	}
	return answer.Token, nil
}

func (d *rehearsal) callVerifier(ctx context.Context, token string) error {
	resp, err := d.send(ctx, http.MethodGet, d.opt.verifier, http.Header{"Authorization": {"Bearer " + token}}, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return nil
	}
	if why := resp.Header.Get("WWW-Authenticate"); why != "" {
		return fmt.Errorf("it answered %s (%s)", resp.Status, why)
	}
	return fmt.Errorf("it answered %s", resp.Status)
}

func (d *rehearsal) send(ctx context.Context, method, address string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := d.http.Do(req)
	if inner := new(url.Error); errors.As(err, &inner) {
		err = inner.Err // the address is in the report
	}
	return resp, err
}

// activeKey returns the signing key by the admin API, for drills without tokens.
func (d *rehearsal) activeKey(ctx context.Context) (kid, alg string, err error) {
	var ring api.KeyList
	if err := d.admin.Call(ctx, api.ListKeys.At(), nil, &ring); err != nil {
		return "", "", err
	}
	for _, k := range ring.Keys {
		if k.State == "active" && (d.alg == "" || k.Alg == d.alg) {
			return k.KID, k.Alg, nil
		}
	}
	return "", "", fmt.Errorf("no active key of %s", d.alg)
}

// recordCaching records the cache headers of a response.
func (r *report) recordCaching(h http.Header) {
	if value := h.Get("Cache-Control"); !slices.Contains(r.CacheControl, value) && len(r.CacheControl) < maxCacheControl {
		r.CacheControl = append(r.CacheControl, value)
	}
	if age, err := strconv.Atoi(h.Get("Age")); err == nil {
		r.Age = max(r.Age, age)
	}
	for directive := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(directive), "max-age="); ok {
			if seconds, err := strconv.Atoi(value); err == nil {
				r.MaxAge = max(r.MaxAge, seconds)
			}
		}
	}
}
