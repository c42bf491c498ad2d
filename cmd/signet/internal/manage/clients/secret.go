package clients

import (
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

func rotateSecret(app *cli.App) *cobra.Command {
	var revokeOld bool
	cmd := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Give a client a new secret",
		Long: "Give a client a new secret. The old secret stays valid, so that the app can change without an outage.\n" +
			"`signet client revoke-secret` and the next rotation end it; --revoke-old ends it at once. If the answer\n" +
			"of a rotation was lost, run it again: it replaces the unused secret and keeps the one in use.",
		Example: "signet client rotate-secret web\nsignet client rotate-secret web --revoke-old   after a leak",
		Args:    cli.Args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var made api.ClientSecret
			if err := connect.Call(cmd.Context(), app, api.RotateSecret.At(args[0]), api.SecretRotation{RevokeOld: revokeOld}, &made); err != nil {
				return err
			}
			if err := app.Print(made, func(w io.Writer) { writeCredentials(w, made.ClientID, made.Secret) }); err != nil {
				return err
			}
			app.Notef("\nKeep the secret now: it is not shown again.")
			return nil
		},
	}
	cmd.Flags().BoolVar(&revokeOld, "revoke-old", false, "end the older secrets at once")
	return cmd
}

func revokeSecret(app *cli.App) *cobra.Command {
	var newest bool
	var fingerprint string
	cmd := &cobra.Command{
		Use:   "revoke-secret ID [--newest | --secret FINGERPRINT]",
		Short: "End one of a client's two secrets",
		Long: "End one of a client's two secrets at once, after a leak or when the app uses the new one. Without an\n" +
			"option it is the older secret. `signet client show` lists the fingerprints of the secrets: the first 8\n" +
			"digits of `printf %s SECRET | sha256sum`. Access tokens that were issued with the secret stay valid until\n" +
			"they expire; `signet client disable` ends them.",
		Example: "signet client revoke-secret web\nsignet client revoke-secret web --secret 9f86d081",
		Args:    cli.Args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			which := api.OldestSecret
			switch {
			case newest && fingerprint != "":
				return cli.Usagef("--newest and --secret name two secrets; leave one of them out")
			case newest:
				which = api.NewestSecret
			case fingerprint != "":
				which = fingerprint
			}
			return call(app, cmd, api.RevokeSecret.At(args[0], which), nil)
		},
	}
	cmd.Flags().BoolVar(&newest, "newest", false, "end the newer secret instead")
	cmd.Flags().StringVar(&fingerprint, "secret", "", "end the secret with this `FINGERPRINT`")
	return cmd
}
