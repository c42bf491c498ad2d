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
	"signet/config/duration"
	"signet/server/admin/api"
	"signet/server/admin/client"
)

// waitFlags are the flags that wait for the replicas after a change of the keyring.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

const defaultPatience = 30 * time.Second

func (p *waitFlags) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.wait, "wait", false, "wait until every replica has the change; exit 1 if one does not")
	p.timeout = defaultPatience
	cmd.Flags().Var((*duration.Value)(&p.timeout), "timeout", "wait for at most `DURATION`")
}

// changeKeys checks the flags and returns a client, for a command that changes the keyring.
func changeKeys(app *cli.App, cmd *cobra.Command, p waitFlags) (*client.Client, error) {
	switch {
	case cmd.Flags().Changed("timeout") && !p.wait:
		return nil, cli.Usagef("--timeout needs --wait")
	case p.timeout <= 0:
		return nil, cli.Usagef("--timeout must be more than 0, such as 30s, not %v", p.timeout)
	}
	return connect.Client(app)
}

// replicaStatus lists which replicas have a version of the keyring, or a newer one.
type replicaStatus struct {
	Have   []string `json:"replicas_with_it"`
	Behind []string `json:"replicas_behind"`
}

// waitForReplicas asks which replicas have the version: once, or with --wait until all have it or the time is over. The
// change is made in any case.
func waitForReplicas(ctx context.Context, app *cli.App, c *client.Client, version uint64, p waitFlags) (replicaStatus, error) {
	status := app.NewStatus()
	defer status.Clear()
	for end := time.Now().Add(p.timeout); ; {
		var k api.KeyList
		if err := c.Call(ctx, api.ListKeys.At(), nil, &k); err != nil {
			return replicaStatus{}, fmt.Errorf("it is done, but not who has version %d of the keys yet; `signet keys list` shows it: %w", version, err)
		}
		f := statusOf(k, version)
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

// change is the report of a change of the keyring.
type change interface {
	write(w io.Writer, now time.Time)
}

// report waits for the replicas, puts their state into the answer, of which f is a part, and prints it.
func report(ctx context.Context, app *cli.App, c *client.Client, version uint64, p waitFlags, answer change, f *replicaStatus) (err error) {
	if *f, err = waitForReplicas(ctx, app, c, version, p); err != nil {
		return err
	}
	if err := app.Print(answer, func(w io.Writer) { answer.write(w, time.Now()) }); err != nil {
		return err
	}
	return f.checkComplete(version, p)
}

func statusOf(k api.KeyList, version uint64) replicaStatus {
	f := replicaStatus{Have: []string{}, Behind: []string{}}
	for _, r := range k.Replicas {
		if r.KeyringVersion < version {
			f.Behind = append(f.Behind, r.Replica)
		} else {
			f.Have = append(f.Have, r.Replica)
		}
	}
	return f
}

func (f replicaStatus) text() string {
	all := len(f.Have) + len(f.Behind)
	text := fmt.Sprintf("%d of %d have it", len(f.Have), all)
	if len(f.Behind) > 0 {
		text += "; not yet: " + strings.Join(f.Behind, ", ")
	}
	return text
}

// checkComplete returns an error if the command waited and some replicas do not have the version.
func (f replicaStatus) checkComplete(version uint64, p waitFlags) error {
	if !p.wait || len(f.Behind) == 0 {
		return nil
	}
	return fmt.Errorf("it is done, but after %v %d %s not have version %d of the keys: %s; one that has stopped is forgotten within a minute, "+
		"look into the log of any other or stop it", p.timeout, len(f.Behind), cli.Plural(len(f.Behind), "replica")+doOrDoes(len(f.Behind)),
		version, strings.Join(f.Behind, ", "))
}

func doOrDoes(n int) string {
	if n == 1 {
		return " does"
	}
	return " do"
}
