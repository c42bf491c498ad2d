package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

func (a *app) userCommand() *cobra.Command {
	return a.remote(noun("user", "Add and change the people who sign in",
		"Add, show and change users: the people who sign in with a password.\n\n"+
			"A user is named by username or by the sub of their tokens (usr_…), which never changes.",
		a.userCreate(), a.userList(), a.userShow(), a.userUpdate(), a.userSetPassword(),
		a.userSwitch("disable", "Keep a user out, and end their sessions"), a.userSwitch("enable", "Let a disabled user in again"),
		a.userDelete(), a.userImport()))
}

func (a *app) userCreate() *cobra.Command {
	var username string
	var noPassword bool
	var claims []string
	var password passwordSource
	cmd := &cobra.Command{
		Use:   "create --username NAME [OPTIONS]",
		Short: "Add a user",
		Long:  "Add a user. The password is asked for twice, or read from standard input or a file.\n\n" + claimHelp,
		Example: "signet user create --username alice\n" +
			"pwgen 20 1 | signet user create --username bob --password-stdin --claim 'roles=[\"admin\"]'",
		Args: positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "username"); err != nil {
				return err
			}
			set, err := parseClaims(claims)
			if err != nil {
				return err
			}
			body := map[string]any{"username": username, "claims": set}
			if !noPassword {
				if body["password"], err = password.read(a); err != nil {
					return err
				}
			} else if password.given() {
				return misuse("--no-password comes with a password; leave one of them out")
			}
			return a.userCall(cmd, http.MethodPost, pathTo("users"), body)
		},
	}
	cmd.Flags().StringVar(&username, "username", "", "the `NAME` to sign in with")
	password.flags(cmd)
	cmd.Flags().BoolVar(&noPassword, "no-password", false, "no password yet: the user cannot sign in until one is set")
	cmd.Flags().StringArrayVar(&claims, "claim", nil, "a fact about the user (`NAME=VALUE`), any number of times")
	return cmd
}

func (a *app) userShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a user",
		Example: "signet user show alice",
		Args:    positional("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.userCall(cmd, http.MethodGet, pathTo("users", args[0]), nil)
		},
	}
}

func (a *app) userUpdate() *cobra.Command {
	var claims, remove []string
	cmd := &cobra.Command{
		Use:     "update NAME OPTIONS",
		Short:   "Change a user's claims",
		Long:    "Change a user's claims. Those that are not named stay. The next refresh already sees the change.\n\n" + claimHelp,
		Example: "signet user update alice --claim department=sales --remove-claim trial",
		Args:    positional("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := parseClaims(claims)
			if err != nil {
				return err
			}
			for _, name := range remove {
				set[name] = json.RawMessage("null")
			}
			if len(set) == 0 {
				return misuse("say what to change with --claim or --remove-claim; see `%s --help`", cmd.CommandPath())
			}
			return a.userCall(cmd, http.MethodPatch, pathTo("users", args[0]), map[string]any{"claims": set})
		},
	}
	cmd.Flags().StringArrayVar(&claims, "claim", nil, "set a claim (`NAME=VALUE`), any number of times")
	cmd.Flags().StringArrayVar(&remove, "remove-claim", nil, "remove the claim `NAME`, any number of times")
	return cmd
}

func (a *app) userSwitch(verb, short string) *cobra.Command {
	var file bulkFile
	cmd := &cobra.Command{
		Use:     verb + " NAME | --file FILE",
		Short:   short,
		Example: "signet user " + verb + " alice\nsignet user " + verb + " --file names.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.bulk(cmd, file.path, verb)
			}
			return a.userCall(cmd, http.MethodPost, pathTo("users", args[0], verb), nil)
		},
	}
	file.flag(cmd)
	return cmd
}

func (a *app) userDelete() *cobra.Command {
	var yes bool
	var file bulkFile
	cmd := &cobra.Command{
		Use:     "delete NAME | --file FILE",
		Short:   "Remove a user for good",
		Long:    "Remove a user and all their sessions for good. A later user of the same name gets another sub and\ninherits nothing.",
		Example: "signet user delete alice\nsignet user delete --file gone.txt --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if err := a.confirm(yes, fmt.Sprintf("Delete all users in %s for good?", file.path)); err != nil {
					return err
				}
				return a.bulk(cmd, file.path, "delete")
			}
			if err := a.confirm(yes, fmt.Sprintf("Delete the user %q for good?", args[0])); err != nil {
				return err
			}
			return a.deleted(cmd, args[0], "users", args[0])
		},
	}
	yesFlag(cmd, &yes)
	file.flag(cmd)
	return cmd
}
