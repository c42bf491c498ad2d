package main

import (
	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Write a script that completes commands in your shell",
		Example: "signet completion bash > /etc/bash_completion.d/signet\n" +
			"signet completion zsh > \"${fpath[1]}/_signet\"\n" +
			"signet completion fish > ~/.config/fish/completions/signet.fish",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      positional("the name of your shell"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
			return misuse("there is no completion for %q; name bash, zsh, fish or powershell", args[0])
		},
	}
}
