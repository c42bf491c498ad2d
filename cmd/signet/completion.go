package main

import (
	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

func completionCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Write a script that completes commands in your shell",
		Example: "signet completion bash > /etc/bash_completion.d/signet\n" +
			"signet completion zsh > \"${fpath[1]}/_signet\"\n" +
			"signet completion fish > ~/.config/fish/completions/signet.fish",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      cli.Args("the name of your shell"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(app.Out, true)
			case "zsh":
				return root.GenZshCompletion(app.Out)
			case "fish":
				return root.GenFishCompletion(app.Out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(app.Out)
			}
			return cli.Usagef("there is no completion for %q; name bash, zsh, fish or powershell", args[0])
		},
	}
}
