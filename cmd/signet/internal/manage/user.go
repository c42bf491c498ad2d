package manage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/cmd/signet/internal/manage/userimport"
	"signet/server/admin/api"
)

// NewUser returns the command `signet user`.
func NewUser(app *cli.App) *cobra.Command {
	return connect.Flags(app, cli.Group("user", "Add and change the people who sign in",
		"Add, show and change users: the people who sign in with a password.\n\n"+
			"A user is named by username or by the sub of their tokens (usr_…), which never changes.",
		userCreate(app), userList(app), userStats(app), userShow(app), userUpdate(app), userRename(app), userAlias(app), userSetPassword(app),
		userSwitch(app, "disable", api.DisableUser, api.DisableUsers, "Refuse a user, and end their sessions"),
		userSwitch(app, "enable", api.EnableUser, api.EnableUsers, "Accept a disabled user again"),
		userDelete(app), userimport.New(app), userMoved(app)))
}

func userCreate(app *cli.App) *cobra.Command {
	var username string
	var noPassword bool
	var claims []string
	var password cli.PasswordFlags
	cmd := &cobra.Command{
		Use:   "create --username NAME",
		Short: "Add a user",
		Long:  "Add a user. The password is asked for twice, or read from standard input or a file.\n\n" + claimHelp,
		Example: "signet user create --username alice\n" +
			"pwgen 20 1 | signet user create --username bob --password-stdin --claim 'roles=[\"admin\"]'",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.Required(cmd, "username"); err != nil {
				return err
			}
			set, err := parseClaims(claims)
			if err != nil {
				return err
			}
			user := api.NewUser{Username: username, Claims: set}
			if !noPassword {
				secret, err := password.Read(app)
				if err != nil {
					return err
				}
				user.Password = &secret
			} else if password.Given() {
				return cli.Usagef("--no-password comes with a password; leave one of them out")
			}
			return callUser(app, cmd, api.CreateUser.At(), user)
		},
	}
	cmd.Flags().StringVar(&username, "username", "", "the `NAME` to sign in with")
	password.Register(cmd)
	cmd.Flags().BoolVar(&noPassword, "no-password", false, "no password yet: the user cannot sign in until one is set")
	cmd.Flags().StringArrayVar(&claims, "claim", nil, "set a claim (`NAME=VALUE`); may be given again")
	return cmd
}

func userShow(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a user",
		Example: "signet user show alice",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callUser(app, cmd, api.ShowUser.At(args[0]), nil)
		},
	}
}

func userUpdate(app *cli.App) *cobra.Command {
	var claims, remove []string
	cmd := &cobra.Command{
		Use:     "update NAME",
		Short:   "Change a user's claims",
		Long:    "Change a user's claims. Claims that are not named stay as they are. Tokens have the change from the next\nrefresh on.\n\n" + claimHelp,
		Example: "signet user update alice --claim department=sales --remove-claim trial",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := parseClaims(claims)
			if err != nil {
				return err
			}
			for _, name := range remove {
				set[name] = json.RawMessage("null")
			}
			if len(set) == 0 {
				return cli.Usagef("say what to change with --claim or --remove-claim; see `%s --help`", cmd.CommandPath())
			}
			return callUser(app, cmd, api.UpdateUser.At(args[0]), api.UserChanges{Claims: set})
		},
	}
	cmd.Flags().StringArrayVar(&claims, "claim", nil, "set a claim (`NAME=VALUE`); may be given again")
	cmd.Flags().StringArrayVar(&remove, "remove-claim", nil, "remove the claim `NAME`; may be given again")
	return cmd
}

func userSwitch(app *cli.App, name string, one, many api.Verb, short string) *cobra.Command {
	var file bulkFile
	cmd := &cobra.Command{
		Use:     name + " NAME | --file FILE",
		Short:   short,
		Example: "signet user " + name + " alice\nsignet user " + name + " --file names.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return callForEach(app, cmd, file.path, many)
			}
			return callUser(app, cmd, one.At(args[0]), nil)
		},
	}
	file.flag(cmd)
	return cmd
}

func userDelete(app *cli.App) *cobra.Command {
	var yes bool
	var file bulkFile
	cmd := &cobra.Command{
		Use:   "delete NAME | --file FILE",
		Short: "Delete a user",
		Long: "Delete a user and their sessions. A later user of the same name gets another sub and inherits nothing.\n\n" +
			"While users.upstream is set, the old system is asked for names that are not here. A user whom it still\n" +
			"accepts is made anew by their next login: delete them there first, or disable them here instead.",
		Example: "signet user delete alice\nsignet user delete --file gone.txt --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			warnOfReturn(cmd.Context(), app)
			if len(args) == 0 {
				if err := app.Confirm(yes, fmt.Sprintf("Delete all users in %s for good?", file.path)); err != nil {
					return err
				}
				return callForEach(app, cmd, file.path, api.DeleteUsers)
			}
			if err := app.Confirm(yes, fmt.Sprintf("Delete the user %q for good?", args[0])); err != nil {
				return err
			}
			return connect.Delete(cmd.Context(), app, args[0], api.DeleteUser.At(args[0]))
		},
	}
	cli.YesFlag(cmd, &yes)
	file.flag(cmd)
	return cmd
}

// warnOfReturn warns where a deleted user can come back. A server that does not answer is left to the call that deletes.
func warnOfReturn(ctx context.Context, app *cli.App) {
	var status api.Status
	if err := connect.Call(ctx, app, api.ShowStatus.At(), nil, &status); err == nil && status.Upstream != "" {
		app.Warn(errors.New("whom the system of users.upstream still accepts comes back with their next login; " +
			"delete them there first, or keep them here and use `signet user disable`"))
	}
}

func userSetPassword(app *cli.App) *cobra.Command {
	var password cli.PasswordFlags
	cmd := &cobra.Command{
		Use:     "set-password NAME",
		Short:   "Set a user's password",
		Long:    "Set a user's password and end the user's sessions. The password is asked for twice, or read from\nstandard input or a file.",
		Example: "signet user set-password alice",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := password.Read(app)
			if err != nil {
				return err
			}
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			if err := c.Call(cmd.Context(), api.SetPassword.At(args[0]), api.NewPassword{Password: secret}, nil); err != nil {
				return err
			}
			return app.Print(map[string]string{"password_set": args[0]}, func(w io.Writer) { cli.Row(w, "set the password of "+args[0]) })
		},
	}
	password.Register(cmd)
	return cmd
}

// callUser calls a verb that answers with a user, and shows the user.
func callUser(app *cli.App, cmd *cobra.Command, target api.Target, body any) error {
	c, err := connect.Client(app)
	if err != nil {
		return err
	}
	var r api.User
	if err := c.Call(cmd.Context(), target, body, &r); err != nil {
		return err
	}
	return app.Print(r, func(w io.Writer) { writeUser(w, r) })
}

func writeUser(w io.Writer, r api.User) {
	cli.Row(w, "username", r.Username)
	for _, alias := range r.Aliases {
		cli.Row(w, "alias", alias)
	}
	cli.Row(w, "sub", r.Subject)
	cli.Row(w, "state", userState(r))
	if state := passwordState(r); state != "" {
		cli.Row(w, "password", r.PasswordScheme+", "+state)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		cli.Row(w, "claim "+name, string(r.Claims[name]))
	}
	cli.Row(w, "created", cli.FormatTime(r.CreatedAt))
	cli.Row(w, "updated", cli.FormatTime(r.UpdatedAt))
}

// passwordState shows what is wrong with the password.
func passwordState(r api.User) string {
	switch {
	case r.PasswordWeak && r.PasswordBreached:
		return "weak hash, breached"
	case r.PasswordWeak:
		return "weak hash"
	case r.PasswordBreached:
		return "breached"
	}
	return ""
}

func userState(r api.User) string {
	switch {
	case r.Disabled:
	case r.Move == "pending":
		return "enabled, not moved yet"
	case r.Move == "stay":
		return "enabled, password at the upstream"
	case !r.HasPassword:
		return "enabled, has no password"
	}
	return cli.EnabledWord(r.Disabled)
}

func userList(app *cli.App) *cobra.Command {
	var prefix string
	var disabled, weak bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "signet user list\nsignet user list --prefix ali\nsignet user list --disabled -o json | jq -r '.users[].username'",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			columns := []string{"USERNAME", "SUB", "STATE", "CREATED"}
			if weak {
				columns = append(columns, "SCHEME", "PASSWORD")
			} else {
				columns = append(columns, "ALIASES")
			}
			l := app.NewList("users", columns...)
			filter := url.Values{}
			if prefix != "" {
				filter.Set("prefix", prefix)
			}
			if cmd.Flags().Changed("disabled") {
				filter.Set("disabled", strconv.FormatBool(disabled))
			}
			if cmd.Flags().Changed("weak") {
				filter.Set("weak", strconv.FormatBool(weak))
			}
			err = c.Users(cmd.Context(), filter, func(r api.User) error {
				row := []string{r.Username, r.Subject, userState(r), cli.FormatTime(r.CreatedAt)}
				if weak {
					row = append(row, cli.OrDash(r.PasswordScheme), cli.OrDash(passwordState(r)))
				} else {
					row = append(row, cli.OrDash(strings.Join(r.Aliases, ", ")))
				}
				return l.Add(r, row...)
			})
			if err != nil {
				return err
			}
			if len(filter) > 0 {
				return l.End("There are no such users.")
			}
			return l.End("There are no users yet. `signet user create --username NAME` adds one.")
		},
	}
	cmd.Flags().Var((*cli.Filter)(&prefix), "prefix", "only users whose names begin with `TEXT`")
	cmd.Flags().BoolVar(&disabled, "disabled", false, "only disabled users; --disabled=false: only enabled ones")
	cmd.Flags().BoolVar(&weak, "weak", false, "only users whose password hash is weak or whose password is breached")
	return cmd
}

// stats is what `signet user stats -o json` prints.
type stats struct {
	Users      int            `json:"users"`
	Disabled   int            `json:"disabled"`
	NoPassword int            `json:"no_password"`
	Weak       int            `json:"weak"` // hashes that the next login replaces
	Breached   int            `json:"breached"`
	Schemes    map[string]int `json:"schemes"` // users by the format of their password hash
}

func (s *stats) add(r api.User) {
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	s.Users++
	count(&s.Disabled, r.Disabled)
	count(&s.NoPassword, !r.HasPassword)
	count(&s.Weak, r.PasswordWeak)
	count(&s.Breached, r.PasswordBreached)
	if r.PasswordScheme != "" {
		s.Schemes[r.PasswordScheme]++
	}
}

func userStats(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "stats",
		Short: "Count users and the formats of their password hashes",
		Long: "Count users and the formats of their password hashes: after an import, weak counts those who have not\n" +
			"logged in yet. The next login replaces a weak hash.",
		Example: "signet user stats",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			s := stats{Schemes: map[string]int{}}
			status := app.NewStatus()
			err = c.Users(cmd.Context(), url.Values{}, func(r api.User) error {
				if s.add(r); s.Users%1000 == 0 {
					status.Show("%d users", s.Users)
				}
				return nil
			})
			status.Clear()
			if err != nil {
				return err
			}
			return app.Print(s, func(w io.Writer) {
				for _, row := range []struct {
					name string
					n    int
				}{{"users", s.Users}, {"disabled", s.Disabled}, {"no password", s.NoPassword}, {"weak", s.Weak}, {"breached", s.Breached}} {
					cli.Row(w, row.name, strconv.Itoa(row.n))
				}
				for _, name := range slices.Sorted(maps.Keys(s.Schemes)) {
					cli.Row(w, "scheme "+name, strconv.Itoa(s.Schemes[name]))
				}
			})
		},
	}
}

const claimHelp = "A claim NAME=VALUE is text, or JSON if VALUE begins with [ or {. NAME:=VALUE is always JSON, such as a\n" +
	"number or true. The tokens of a client have the claims that its --claim-name lists."

// parseClaims reads --claim flags.
func parseClaims(flags []string) (map[string]json.RawMessage, error) {
	claims := map[string]json.RawMessage{}
	for _, s := range flags {
		name, value, err := parseClaim(s)
		if err != nil {
			return nil, err
		}
		if _, twice := claims[name]; twice {
			return nil, cli.Usagef("--claim %s is given twice; for several values write a list, like --claim '%s=[\"a\",\"b\"]'", name, name)
		}
		claims[name] = value
	}
	return claims, nil
}

func parseClaim(s string) (string, json.RawMessage, error) {
	name, value, found := strings.Cut(s, "=")
	name, typed := strings.CutSuffix(name, ":")
	if !found || name == "" {
		return "", nil, cli.Usagef("--claim %q has no name and value; write it like department=sales", s)
	}
	if !typed && !strings.HasPrefix(value, "[") && !strings.HasPrefix(value, "{") {
		text, err := json.Marshal(value)
		return name, text, err
	}
	if !json.Valid([]byte(value)) {
		return "", nil, cli.Usagef("the value of --claim %s is not JSON; quote it for your shell, like --claim '%s=[\"admin\"]'", name, name)
	}
	return name, json.RawMessage(value), nil
}
