// Command signet is the token server and the commands of its operators. The packages below internal have the commands, a package
// for each subject; this one has the command tree.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/daemon"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == daemon.HashArgument {
		os.Exit(daemon.HashPasswords(os.Stdin, os.Stdout, os.Stderr))
	}
	cobra.EnableCommandSorting = false // the order of the code is the order of the help
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	app := &cli.App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Now: programClock(), IsProgram: true}
	os.Exit(run(ctx, app, os.Args[1:]))
}
