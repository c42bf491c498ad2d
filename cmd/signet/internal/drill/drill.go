package drill

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/config/duration"
	"signet/server/admin/api"
	"signet/server/admin/client"
	"signet/server/syntax"
)

// options are the flags of `drill`.
type options struct {
	jwks, verifier     string
	client, secretFile string
	alg                string
	bound, every       string
	rotations          int
	yes                bool
}

// New returns the command `signet drill`.
func New(app *cli.App) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Rehearse a key rotation and report failures",
		Long: "Rotate the signing keys of a staging deployment and check that nothing fails. Each round requests a token,\n" +
			"verifies it with the key set at --jwks, such as a copy at a CDN, and calls the service at --verifier with\n" +
			"the token, which must answer 2xx. If the first round fails, nothing is rotated. The next key signs once it\n" +
			"has been published for keys.publish. The drill ends when the new key signs and the last token of the old\n" +
			"key has expired. The exit status is 1 if a check failed.\n\n" +
			"The next key is in the key set since the last rotation. To detect a service that fetches the key set only\n" +
			"at its start, rotate twice with --rotations 2.\n\n" +
			"Without --client no tokens are requested, and only the key set is checked. The rotation is not undone, so\n" +
			"the drill asks for confirmation of the server.",
		Example: "signet drill --client drill --client-secret-file drill.secret --verifier https://staging.example.com/orders\n" +
			"signet drill --jwks https://cdn.example.com/.well-known/jwks.json --for 25h --yes -o json",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := newDrill(cmd.Context(), app, o)
			if err != nil {
				return err
			}
			if err := app.Confirm(o.yes, "This rotates the signing keys of "+d.report.Issuer+". Is that a deployment to rehearse on?"); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.jwks, "jwks", "", "the key set at `URL`, where verifiers get it (default: the issuer's)")
	f.StringVar(&o.verifier, "verifier", "", "call the service at `URL` with each token")
	f.StringVar(&o.client, "client", "", "ask for tokens as the client `ID`, with its own credentials")
	f.StringVar(&o.secretFile, "client-secret-file", "", "read the client's secret from `FILE`")
	f.StringVar(&o.alg, "alg", "", "rotate the key of `ALG` (default: the one that signs the client's tokens)")
	f.IntVar(&o.rotations, "rotations", 1, "rotate `N` times, one after the other")
	f.StringVar(&o.bound, "for", "", "limit each rotation to `DURATION`, such as 25h (default: until a minute after the key should sign)")
	f.StringVar(&o.every, "every", "5s", "start a round every `DURATION`")
	cli.YesFlag(cmd, &o.yes)
	return connect.Flags(app, cmd)
}

// rehearsal carries one drill.
type rehearsal struct {
	app     *cli.App
	admin   *client.Client
	http    *http.Client
	opt     options
	secret  string
	bound   time.Duration // 0: no limit
	every   time.Duration
	alg     string               // that is rotated
	signer  string               // kid of the last token
	seen    map[string]time.Time // kids, and when the key set first had them
	last    string               // token of the old key
	lastExp time.Time            // its exp
	report  report
}

// newDrill checks the options and reads the issuer from the server. It changes nothing.
func newDrill(ctx context.Context, app *cli.App, o options) (*rehearsal, error) {
	d := &rehearsal{app: app, opt: o, alg: o.alg, seen: map[string]time.Time{}, http: cli.NoRedirects(http.DefaultTransport.(*http.Transport).Clone())}
	d.http.Timeout = 10 * time.Second
	if err := d.readOptions(); err != nil {
		return nil, err
	}
	var err error
	if d.admin, err = connect.Client(app); err != nil {
		return nil, err
	}
	var status api.Status
	if err := d.admin.Call(ctx, api.ShowStatus.At(), nil, &status); err != nil {
		return nil, err
	}
	u, err := url.Parse(status.Issuer)
	if err != nil || o.client != "" && u.Scheme != "https" && !syntax.Loopback(u.Hostname()) {
		return nil, fmt.Errorf("the issuer is %s, and the client's secret would go there in the clear", status.Issuer)
	}
	d.report.Issuer, d.report.Verifier = status.Issuer, o.verifier
	d.report.KeySet = o.jwks
	if o.jwks == "" {
		d.report.KeySet = strings.TrimRight(status.Issuer, "/") + "/.well-known/jwks.json"
	}
	return d, nil
}

func (d *rehearsal) readOptions() (err error) {
	o := d.opt
	for flag, address := range map[string]string{"--jwks": o.jwks, "--verifier": o.verifier} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			return cli.Usagef("%s %q is not a URL; write it like https://staging.example.com/orders", flag, address)
		}
	}
	switch {
	case (o.client == "") != (o.secretFile == ""):
		return cli.Usagef("--client and --client-secret-file go together")
	case o.client == "" && o.verifier != "":
		return cli.Usagef("a service can be called with a token only; give --client and --client-secret-file as well")
	}
	if o.rotations < 1 {
		return cli.Usagef("--rotations must be at least 1, not %d", o.rotations)
	}
	if d.every, err = duration.Parse(o.every); err != nil {
		return cli.Usagef("--every %w", err)
	}
	if d.every < 100*time.Millisecond {
		return cli.Usagef("--every %s is too often; 100ms is the least", o.every)
	}
	if o.bound != "" {
		if d.bound, err = duration.Parse(o.bound); err != nil {
			return cli.Usagef("--for %w", err)
		}
	}
	if o.secretFile == "" {
		return nil
	}
	f, err := os.Open(o.secretFile)
	if err != nil {
		return fmt.Errorf("reading the client's secret: %w", err)
	}
	defer f.Close()
	if d.secret, err = cli.ReadSecret(f); err != nil {
		return fmt.Errorf("%s: %w", o.secretFile, err)
	}
	return nil
}

// run does a round, and then the rotations until one fails.
func (d *rehearsal) run(ctx context.Context) error {
	d.report.StartedAt = time.Now().UTC()
	if d.round(ctx); len(d.report.Failures) > 0 {
		return d.finish("nothing was rotated: it fails already with the key of now")
	}
	for range d.opt.rotations {
		if err := d.rotate(ctx); err != nil {
			return err
		}
		if d.watch(ctx); len(d.report.Failures) > 0 {
			break
		}
	}
	if d.report.onlyCutShort() {
		return d.finish("cut short: nothing that was checked failed, but the rotation was not watched to its end")
	}
	return d.finish("somebody noticed")
}

// watch does rounds until the new key signs and the last token of the old key has expired.
func (d *rehearsal) watch(ctx context.Context) {
	status := d.app.NewStatus()
	defer status.Clear()
	end := d.deadline()
	for ctx.Err() == nil && time.Now().Before(end) && !d.over() {
		select {
		case <-ctx.Done():
		case <-time.After(min(d.every, time.Until(end))):
			d.round(ctx)
		}
		status.Show("round %d, %d failures, %s", d.report.Rounds, d.report.failed(), d.outlook(time.Now()))
	}
	switch r := d.rotation(); {
	case ctx.Err() != nil:
		d.report.fail(time.Now(), cutShort, "interrupted before it was over")
	case r.SignedAt.IsZero():
		d.report.fail(time.Now(), cutShort, "the new key did not sign by then; it should from "+cli.FormatTime(r.ActivatesAt))
	}
}

// rotate makes the next key sign as soon as possible, and records which key that is.
func (d *rehearsal) rotate(ctx context.Context) error {
	var answer api.RotatedKeys
	if err := d.admin.Call(ctx, api.RotateKeys.At(), api.KeyRotation{Alg: d.alg}, &answer); err != nil {
		return err
	}
	r := rotation{OldKey: d.signer}
	for _, k := range answer.Keys {
		if k.Alg == d.alg && k.State == "pending" {
			r.NewKey, r.ActivatesAt = k.KID, k.ActivatesAt.UTC()
		}
	}
	if r.NewKey == "" {
		return errors.New("the server names no key that would sign next; see `signet keys list`")
	}
	d.report.Rotations = append(d.report.Rotations, r)
	d.app.Notef("rotating: key %s signs from %s (%s)", r.NewKey, cli.FormatTime(r.ActivatesAt), cli.Relative(r.ActivatesAt, time.Now()))
	return nil
}

// rotation returns the current rotation, or nil before the first.
func (d *rehearsal) rotation() *rotation {
	if n := len(d.report.Rotations); n > 0 {
		return &d.report.Rotations[n-1]
	}
	return nil
}

// deadline returns when watch ends in any case.
func (d *rehearsal) deadline() time.Time {
	if d.bound > 0 {
		return time.Now().Add(d.bound)
	}
	end := d.rotation().ActivatesAt.Add(time.Minute)
	if d.lastExp.After(end) {
		end = d.lastExp
	}
	return end
}

// over reports whether the new key signs and the last token of the old key has expired.
func (d *rehearsal) over() bool {
	return !d.rotation().SignedAt.IsZero() && !time.Now().Add(d.every).Before(d.lastExp)
}

func (d *rehearsal) outlook(now time.Time) string {
	if r := d.rotation(); r.SignedAt.IsZero() {
		return "the new key signs " + cli.Relative(r.ActivatesAt, now)
	}
	return "the last token of the old key expires " + cli.Relative(d.lastExp, now)
}
