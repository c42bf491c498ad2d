package userimport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/cmd/signet/internal/usertable"
	"signet/config/duration"
	"signet/server/admin/api"
	"signet/server/password/hash"
)

// command holds the flags.
type command struct {
	app *cli.App

	file        string
	table       usertable.Options
	claims      []string
	hashConfig  string
	idClaim     string
	conflict    string
	dryRun      bool
	allowWeak   bool
	notMoved    bool
	wrapLater   bool
	noHash      bool
	mapFile     string
	rejected    string
	factors     string
	dropFactors bool
	force       bool
	wait        duration.Value
	waitGiven   bool
}

// New returns the command `signet user import`.
func New(app *cli.App) *cobra.Command {
	c := &command{app: app, wait: duration.Value(2 * time.Minute)}
	cmd := &cobra.Command{
		Use:   "import --file FILE|-",
		Short: "Add the users of another system with their password hashes",
		Long: "Add the users of another system with their password hashes, which are replaced when their users sign in.\n\n" +
			"--format names how the file is written:\n" + strings.Join(usertable.Formats(), ", ") + ".\n" +
			"The format signet has a JSON object a line, with the members username, password_hash, hash_scheme, id,\n" +
			"claims and disabled. FIELD is a column of a CSV file, or a path such as app_metadata.plan into a JSON\n" +
			"object. The file may be packed with gzip.\n\n" +
			"The same file can be imported again, and changes nothing then. After an interruption start the command\n" +
			"once more. With --on-conflict update a user who is there gets what the file has; a password that was\n" +
			"set here stays.\n\n" +
			"Refused lines are reported, and all others are imported. The exit status is 1 if a line was refused.",
		Example: "signet user import --file users.ndjson\n" +
			"signet user import --format django --file users.json.gz --username email --map ids.csv\n" +
			"signet user import --format csv --file users.csv --claim name=full_name --rejected mend.ndjson --dry-run",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.Required(cmd, "file"); err != nil {
				return err
			}
			return c.run(cmd)
		},
	}
	c.flags(cmd)
	return cmd
}

func (c *command) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.file, "file", "", "the users in `FILE`, or - for standard input")
	f.StringVar(&c.table.Format, "format", "signet", "the file is written as `FORMAT`")
	f.StringVar(&c.table.Username, "username", "", "take the username from `FIELD`")
	f.StringArrayVar(&c.table.Aliases, "alias", nil, "take a further name to log in with from `FIELD`; may be given again")
	f.StringVar(&c.table.Hash, "hash", "", "take the password hash from `FIELD`, of csv")
	f.BoolVar(&c.noHash, "no-hash", false, "the file has no password hashes; users get passwords later")
	f.StringVar(&c.table.Scheme, "hash-scheme", "", "all hashes are of `SCHEME`, where their spelling does not show it")
	f.StringVar(&c.hashConfig, "hash-config", "", "the hash_config of a Firebase project, in `FILE`")
	f.StringVar(&c.table.ID, "id", "", "take the id in the old system from `FIELD`")
	f.StringVar(&c.idClaim, "id-claim", api.DefaultIDClaim, "keep that id as the claim `NAME`")
	f.StringVar(&c.table.Disabled, "disabled", "", "disable users for whom `FIELD` is true; with ! in front, for whom it is false")
	f.StringVar(&c.table.Roles, "roles", "", "take the roles from `FIELD`")
	f.StringVar(&c.table.RolesClaim, "roles-claim", "roles", "keep the roles as the claim `NAME`")
	f.StringArrayVar(&c.claims, "claim", nil, "take a claim from a field (`NAME=FIELD`; NAME:=FIELD where it holds JSON); may be given again")
	f.StringVar(&c.table.Realm, "realm", "", "the realm `NAME` of a Keycloak export with several")
	f.StringVar(&c.conflict, "on-conflict", api.ConflictFail, "`WHAT` to do where the username is taken: fail, skip or update")
	f.BoolVar(&c.allowWeak, "allow-weak", false, "accept hashes without a salt; they are hashed once more")
	f.BoolVar(&c.wrapLater, "wrap-later", false, "store hashes of phpass, md5-crypt and such as they are; the server hashes them once more\nwhile nobody logs in")
	f.BoolVar(&c.notMoved, "not-moved", false, "ask users.upstream for the passwords of users without a hash")
	f.BoolVar(&c.dryRun, "dry-run", false, "check everything and change nothing")
	f.StringVar(&c.mapFile, "map", "", "write username, sub and old id of every user to the CSV `FILE`")
	f.StringVar(&c.rejected, "rejected", "", "write the refused lines to the NDJSON `FILE`, to be mended and imported")
	f.StringVar(&c.factors, "factors", "", "write the one-time-password secrets of a Keycloak export to the private `FILE`")
	f.BoolVar(&c.dropFactors, "drop-factors", false, "leave those secrets behind")
	f.BoolVar(&c.force, "force", false, "replace the files of --map, --rejected and --factors")
	f.Var(&c.wait, "wait", "wait for `DURATION` for a server that went away meanwhile")
}

// check returns what cannot be in the flags.
func (c *command) check(cmd *cobra.Command) error {
	if formats := usertable.Formats(); !slices.Contains(formats, c.table.Format) {
		return cli.Usagef("there is no format %q; there are %s", c.table.Format, strings.Join(formats, ", "))
	}
	if schemes := hash.Schemes(); c.table.Scheme != "" && !slices.Contains(schemes, c.table.Scheme) {
		return cli.Usagef("there is no hash scheme %q; there are %s", c.table.Scheme, strings.Join(schemes, ", "))
	}
	if c.table.Format == "signet" {
		for _, name := range []string{"username", "alias", "hash", "no-hash", "id", "disabled", "roles", "roles-claim", "claim", "realm", "factors"} {
			if cmd.Flags().Changed(name) {
				return cli.Usagef("--%s is for tables of other systems; the format signet has its own members. Choose one with --format", name)
			}
		}
	}
	if c.dryRun && c.mapFile != "" {
		return cli.Usagef("--map has the subs of the users, and a dry run makes none; leave one of the two out")
	}
	if err := c.checkPaths(); err != nil {
		return err
	}
	if c.factors != "" && c.dropFactors {
		return cli.Usagef("--factors keeps the one-time-password secrets and --drop-factors does not; give one of them")
	}
	if c.noHash && c.table.Hash != "" {
		return cli.Usagef("--hash names the column of the hashes, and --no-hash is for a file without one; leave one of the two out")
	}
	if c.noHash && c.notMoved {
		return cli.Usagef("--no-hash is for users who get a password here later, and --not-moved for those whose password the old system has; give one of them")
	}
	c.table.NoHash = c.noHash || c.notMoved
	switch c.conflict {
	case api.ConflictFail, api.ConflictSkip, api.ConflictUpdate:
	default:
		return cli.Usagef("--on-conflict must be fail, skip or update")
	}
	for _, text := range c.claims {
		name, field, found := strings.Cut(text, "=")
		name, isJSON := strings.CutSuffix(name, ":")
		if !found || name == "" || field == "" {
			return cli.Usagef("--claim %q has no name and field; write it like name=full_name", text)
		}
		c.table.Claims = append(c.table.Claims, usertable.Claim{Name: name, Field: field, JSON: isJSON})
	}
	return nil
}

// checkPaths refuses two files that are one: the second would replace the first.
func (c *command) checkPaths() error {
	paths := []struct{ flag, path string }{{"file", c.file}, {"hash-config", c.hashConfig}, {"map", c.mapFile}, {"rejected", c.rejected}, {"factors", c.factors}}
	for i, b := range paths {
		for _, a := range paths[:i] {
			if a.path != "" && b.path != "" && cli.SameFile(a.path, b.path) {
				return cli.Usagef("--%s and --%s name the same file", a.flag, b.flag)
			}
		}
	}
	return nil
}

func (c *command) run(cmd *cobra.Command) error {
	if err := c.check(cmd); err != nil {
		return err
	}
	c.waitGiven = cmd.Flags().Changed("wait")
	if c.hashConfig != "" {
		text, err := cli.ReadSecretFile(c.hashConfig)
		if err != nil {
			return fmt.Errorf("reading the hash_config: %w", err)
		}
		c.table.HashConfig = text
	}
	in, err := Open(c.app, c.file)
	if err != nil {
		return err
	}
	defer in.Close()
	server, err := connect.Client(c.app)
	if err != nil {
		return err
	}
	c.table.Now = c.app.Clock()
	counted := &countingReader{in: in}
	table, err := usertable.New(counted, c.table)
	if err != nil {
		return err
	}
	if table.Converted() {
		c.app.Notef("The file is in UTF-16, and is read as that.")
	}
	if table.NoHash() {
		c.app.Notef("The file has no column of password hashes.")
	}
	r := newRun(c, server, table)
	r.progress = newProgress(c.app, counted, sizeOf(in))
	err = r.withFiles(func() error { return r.all(cmd.Context()) })
	r.progress.Clear()
	if errors.Is(err, usertable.ErrNoHashConfig) {
		return cli.Usagef("%w", err)
	}
	if err != nil {
		return err
	}
	return r.finish()
}

// Open opens a file of users, or standard input for -.
func Open(app *cli.App, file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(app.In), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the users: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("reading the users: %s is a directory", file)
	}
	return f, nil
}

// sizeOf returns the size of a regular file, or 0.
func sizeOf(in io.Reader) int64 {
	f, ok := in.(*os.File)
	if !ok {
		return 0
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}
