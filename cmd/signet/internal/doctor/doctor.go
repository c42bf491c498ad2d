package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/keys"
	"signet/keys/mark"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/store"
	"signet/store/bolt"
	"signet/store/redis"
	"signet/store/seal"
)

// finding is one line of the report.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, warning, problem
	Detail string `json:"detail"`
}

const (
	stateOK      = "ok"
	stateWarning = "warning"
	stateProblem = "problem"
)

// New returns the command `signet doctor`.
func New(app *cli.App) *cobra.Command {
	return configfile.Flag(app, &cobra.Command{
		Use:   "doctor",
		Short: "Check an install: settings, files, master key, store, signing keys",
		Long: "Check an install: the configuration and the files it names, the master key, the timetable of the signing\n" +
			"keys, the store and its settings, and whether the master key opens the signing keys. It changes nothing.\n" +
			"If no server runs, all of a bolt store is read. The exit status is 1 if there is a problem, and 0 if\n" +
			"there are only warnings.",
		Example: "signet doctor --config /etc/signet/signet.yaml",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{app: app}
			d.examine(cmd.Context())
			return d.report(app)
		},
	})
}

// findings collects what the checks find.
type findings struct{ list []finding }

func (f *findings) note(check, state, detail string) {
	f.list = append(f.list, finding{check, state, detail})
}

// check adds a finding: good if err is nil, else a problem for each error that is joined in err.
func (f *findings) check(check string, err error, good string) bool {
	if err == nil {
		f.note(check, stateOK, good)
		return true
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		f.note(check, stateProblem, strings.TrimPrefix(line, check+": "))
	}
	return false
}

// report prints the findings. It returns an error if there is a problem.
func (f *findings) report(app *cli.App) error {
	problems := 0
	for _, one := range f.list {
		if one.State == stateProblem {
			problems++
		}
	}
	err := app.Print(map[string]any{"ok": problems == 0, "findings": f.list}, func(w io.Writer) {
		cli.Row(w, "CHECK", "STATE", "DETAIL")
		for _, one := range f.list {
			cli.Row(w, one.Check, one.State, one.Detail)
		}
	})
	if err == nil && problems > 0 {
		err = fmt.Errorf("problems found: %d", problems)
	}
	return err
}

// doctor checks one install.
type doctor struct {
	app *cli.App
	findings
}

func (d *doctor) examine(ctx context.Context) {
	cfg, warnings, err := configfile.ReadOrDev(d.app)
	good := d.check("configuration", err, "it is valid, for the issuer "+cfg.Issuer)
	for _, w := range warnings {
		d.note("configuration", stateWarning, string(w))
	}
	if !good {
		return
	}
	master, err := install.ReadMasterKeys(cfg.MasterKeyFile, d.app.Getenv)
	d.check("master key", err, "it can be read")
	d.check("files", configfile.CheckAccess(cfg), "nobody else can write to the data directory, the store, the blocklist or the keys of TLS")
	d.examineLeftovers(cfg)
	d.examineTimetable(cfg)
	d.examineClock(cfg)
	d.examineCertificate(cfg)
	d.examineRunning(ctx, cfg)
	d.examineUpstream(cfg)
	if path, ok := cfg.BoltPath(); ok {
		d.examineBolt(ctx, path, cfg, master)
		return
	}
	d.examineRedis(ctx, cfg, master)
}

// examineUpstream checks the settings of the system that is asked for passwords. It does not ask it.
func (d *doctor) examineUpstream(cfg config.Config) {
	settings, err := install.Upstream(cfg, d.app.Getenv)
	if err == nil && settings.Source == nil {
		return
	}
	d.check("upstream", err, fmt.Sprintf("%s is asked about names that no user has here; whom it still accepts comes back after `signet user delete`", settings.Kind))
}

// examineClock compares the clock with the latest time that a server with this data directory has seen. If it is behind
// by more than keys.skew, nothing is signed.
func (d *doctor) examineClock(cfg config.Config) {
	mark, ok := mark.Peek(install.MarkFile(cfg))
	if !ok || mark.SeenAt.IsZero() {
		return
	}
	behind := mark.SeenAt.Sub(d.app.Clock())
	if behind <= cfg.Keys.Skew {
		d.note("clock", stateOK, "it is not behind the latest time that this server has seen")
		return
	}
	d.note("clock", stateProblem, fmt.Sprintf("it is %s behind the latest time that this server has seen, %s, and nothing is signed: set it right, or run `signet keys clock-reset` if that time was wrong",
		behind.Round(time.Second), cli.FormatTime(mark.SeenAt)))
}

// examineLeftovers finds files of commands that were killed. They can have password hashes.
func (d *doctor) examineLeftovers(cfg config.Config) {
	dirs := []string{cfg.DataDir}
	if here, err := os.Getwd(); err == nil && here != cfg.DataDir {
		dirs = append(dirs, here)
	}
	for _, dir := range dirs {
		for _, name := range cli.Leftovers(dir, "") {
			d.note("files", stateWarning, fmt.Sprintf("%s is left over from a command that was killed, and may have password hashes in it; remove it with `rm %s`", name, cli.ShellQuote(name)))
		}
	}
}

// examineBolt checks a bolt store. A running server locks the file, so only its clients are checked then.
func (d *doctor) examineBolt(ctx context.Context, path string, cfg config.Config, master []masterkey.Key) {
	o := d.opener(master)
	s, err := o.OpenBolt(path, cfg)
	if errors.Is(err, store.ErrLocked) {
		d.note("store", stateOK, path+" is in use by a running server; stop it, or examine a backup, to have it read whole")
		d.examineServing(ctx, cfg)
		return
	}
	if !d.check("store", err, path+" opens") {
		return
	}
	readable := d.examineKeyring(ctx, s, cfg, o)
	if readable {
		d.examineUsernames(ctx, s)
		d.examineClients(ctx, s, cfg)
		d.examineAdminClients(ctx, s, cfg)
	}
	if err := s.Close(); err != nil {
		d.check("store", err, "")
		return
	}
	if !readable {
		return
	}
	d.check("store", bolt.Check(path, o.Seals), "every record and page of it can be read")
}

func (d *doctor) examineRedis(ctx context.Context, cfg config.Config, master []masterkey.Key) {
	o := d.opener(master)
	s, err := o.OpenRedis(ctx, cfg)
	if !d.check("store", err, install.StoreName(cfg)+" answers") {
		return
	}
	defer s.Close()
	d.check("store", s.Ping(ctx), "it takes writes")
	d.examineServers(ctx, s)
	d.examineFleet(ctx, s, cfg)
	if d.examineKeyring(ctx, s, cfg, o) {
		d.examineUsernames(ctx, s)
		d.examineClients(ctx, s, cfg)
		d.examineAdminClients(ctx, s, cfg)
		d.check("records", s.Export(ctx, func(store.Record) error { return nil }), "every record can be read, and none is forged")
	}
}

// examineServers checks the settings of the Redis servers, as a start does.
func (d *doctor) examineServers(ctx context.Context, s *redis.Store) {
	findings, err := s.Check(ctx)
	if err != nil {
		d.check("durability", err, "")
		return
	}
	if len(findings) == 0 {
		d.note("durability", stateOK, "nothing to change in how the servers are set up; a failover can lose the last moments before it")
	}
	for _, f := range findings {
		d.note("durability", stateWarning, f.String())
	}
	d.examineSync(ctx, s)
}

// examineSync explains what a kill of Redis loses by its setting of appendfsync.
func (d *doctor) examineSync(ctx context.Context, s *redis.Store) {
	policies, err := s.SyncPolicies(ctx)
	if err != nil {
		d.check("durability", err, "")
		return
	}
	for _, p := range policies {
		switch p.Policy {
		case "always":
			d.note("durability", stateOK, p.Server+": appendfsync is always: neither a kill of Redis nor a power failure loses what was answered")
		case "":
			d.note("durability", stateOK, p.Server+": it does not let Signet read appendfsync (CONFIG GET); only always makes answered writes survive a kill of Redis on a busy disk")
		case "everysec":
			d.note("durability", stateOK, p.Server+": appendfsync is everysec: a power failure, or a kill -9 of Redis while its disk is busy, "+
				"loses up to two seconds of answered logins and refreshes; revocations are repeated by the servers of Signet; appendfsync always closes it")
		}
	}
}

// examineKeyring opens the signing keys as a start does, without writing anything.
func (d *doctor) examineKeyring(ctx context.Context, s store.Store, cfg config.Config, o install.Opener) (readable bool) {
	record, err := s.Install(ctx)
	if errors.Is(err, store.ErrNotFound) {
		err = install.ExplainNoInstall(ctx, s, cfg)
	}
	if errors.Is(err, seal.ErrForged) {
		err = install.ExplainSeal(err)
	}
	if !d.check("install", err, record.ID+", made "+cli.FormatTime(record.CreatedAt)) || len(o.Master) == 0 {
		return false
	}
	hsm, done := d.examineHSM(ctx, cfg)
	defer done()
	ring := install.KeyringConfig(cfg, s, record.ID, o.Master)
	ring.Remote = install.RemoteKeys(cfg, hsm)
	ring.Mark = install.MarkFile(cfg)
	m, err := keys.Open(ctx, ring)
	if errors.Is(err, privatekey.ErrProvider) {
		err = install.ExplainProvider(err)
	}
	if errors.As(err, new(*mark.Error)) {
		err = install.ExplainMark(cfg, err)
	}
	if !d.check("signing keys", install.ExplainTimetable(cfg, err), "they open with this master key") {
		return false
	}
	if err := m.Ready(); err != nil {
		d.note("signing keys", stateProblem, err.Error())
	}
	d.tryHSM(ctx, m)
	for _, p := range m.Keyring().KeptPlans(m.Timetable(), m.Configured(), m.Clock().Now()) {
		d.note("key timetable", stateWarning, install.KeptPlanText(cfg, p))
	}
	d.examineSeals(m, o)
	d.examinePinned(ctx, s, m)
	return true
}

// examinePinned finds clients that get no tokens, because no key signs with their algorithm.
func (d *doctor) examinePinned(ctx context.Context, s store.Store, m *keys.Manager) {
	const page = 1000
	for after := ""; ; {
		clients, err := s.ListClients(ctx, after, page)
		if err != nil {
			d.check("clients", err, "")
			return
		}
		for _, c := range clients {
			if c.Alg != "" && !slices.Contains(m.Algorithms(), c.Alg) && !slices.Contains(m.Configured(), c.Alg) {
				d.note("clients", stateWarning, fmt.Sprintf("%s is pinned to %s, and no key signs with it: it can get no tokens; `signet client update %s --alg ALG`, or add it to algorithms", c.ID, c.Alg, c.ID))
			}
		}
		if len(clients) < page {
			return
		}
		after = clients[len(clients)-1].ID
	}
}

// opener opens stores without changing them.
func (d *doctor) opener(master []masterkey.Key) install.Opener {
	return install.Opener{Getenv: d.app.Getenv, Master: master, Seals: install.NewSeals(master)}
}

// examineSeals notes whether records must have seals. From then on they are verified.
func (d *doctor) examineSeals(m *keys.Manager, o install.Opener) {
	o.Seals.Use(m.MasterKeyInUse)
	if !m.Records().Sealed {
		d.note("seals", stateWarning, install.UnsealedWarning)
		return
	}
	o.Seals.Require()
	d.note("seals", stateOK, "every record must have one")
}
