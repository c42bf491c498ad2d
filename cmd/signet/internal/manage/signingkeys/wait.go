package signingkeys

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
	"signet/server/admin/client"
)

// waitFlags says whether a change of the keyring is waited for, and how long.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

const defaultPatience = 30 * time.Second

func (p *waitFlags) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.wait, "wait", false, "wait until every replica has the change; exit 1 if one does not")
	cmd.Flags().DurationVar(&p.timeout, "timeout", defaultPatience, "wait for at most `DURATION`")
}

// changeKeys is connect for a command that changes the keyring.
func changeKeys(app *cli.App, cmd *cobra.Command, p waitFlags) (*client.Client, error) {
	switch {
	case cmd.Flags().Changed("timeout") && !p.wait:
		return nil, cli.Usagef("--timeout says how long to wait; give --wait as well")
	case p.timeout <= 0:
		return nil, cli.Usagef("--timeout %v is no time; write it like 30s", p.timeout)
	}
	return connect.Client(app)
}

// following is which replicas hold a version of the keyring, or a newer one.
type following struct {
	Have   []string `json:"replicas_with_it"`
	Behind []string `json:"replicas_behind"`
}

// follow asks who has the version, once or until all have it or patience is over. The change itself
// is made whatever comes of this.
func follow(ctx context.Context, app *cli.App, c *client.Client, version uint64, p waitFlags) (following, error) {
	status := app.NewStatus()
	defer status.Clear()
	for end := time.Now().Add(p.timeout); ; {
		var k api.KeyList
		if err := c.Call(ctx, api.ListKeys.At(), nil, &k); err != nil {
			return following{}, fmt.Errorf("it is done, but not who has version %d of the keys yet; `signet keys list` shows it: %w", version, err)
		}
		f := followers(k, version)
		if !p.wait || len(f.Behind) == 0 || time.Now().After(end) {
			return f, nil
		}
		status.Show("waiting for %s", strings.Join(f.Behind, ", "))
		select {
		case <-ctx.Done():
			return f, nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// keyChange is the answer to a change of the keyring, for people.
type keyChange interface {
	write(w io.Writer, now time.Time)
}

// report finds out who follows the change, puts that into the answer, of which f is a part, and
// prints it.
func report(ctx context.Context, app *cli.App, c *client.Client, version uint64, p waitFlags, answer keyChange, f *following) (err error) {
	if *f, err = follow(ctx, app, c, version, p); err != nil {
		return err
	}
	if err := app.Print(answer, func(w io.Writer) { answer.write(w, time.Now()) }); err != nil {
		return err
	}
	return f.complete(version, p)
}

func followers(k api.KeyList, version uint64) following {
	f := following{Have: []string{}, Behind: []string{}}
	for _, r := range k.Replicas {
		if r.KeyringVersion < version {
			f.Behind = append(f.Behind, r.Replica)
		} else {
			f.Have = append(f.Have, r.Replica)
		}
	}
	return f
}

func (f following) text() string {
	all := len(f.Have) + len(f.Behind)
	text := fmt.Sprintf("%d of %d have it", len(f.Have), all)
	if len(f.Behind) > 0 {
		text += "; not yet: " + strings.Join(f.Behind, ", ")
	}
	return text
}

// complete is an error where the replicas were waited for and some did not follow.
func (f following) complete(version uint64, p waitFlags) error {
	if !p.wait || len(f.Behind) == 0 {
		return nil
	}
	return fmt.Errorf("it is done, but after %v %d %s not have version %d of the keys: %s; one that has stopped is forgotten within a minute, "+
		"look into the log of any other or stop it", p.timeout, len(f.Behind), cli.Plural(len(f.Behind), "replica")+doOrDoes(len(f.Behind)), version, strings.Join(f.Behind, ", "))
}

func doOrDoes(n int) string {
	if n == 1 {
		return " does"
	}
	return " do"
}
