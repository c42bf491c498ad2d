// Package cli has what every command of the program has in common: output as a table or as JSON, help, usage errors,
// prompts, progress, and files that only their owner can read.
//
// A command is built by a function New(app *cli.App) *cobra.Command in the package of its subject. It writes what was
// asked for to App.Out and everything else to App.Err, and returns an error whose text is one sentence: what happened,
// why, and what to do. A UsageError makes the program exit with 2, any other error with 1.
//
// It imports no other package of this module.
package cli
