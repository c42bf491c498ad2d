package install

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

// hsmOptions are the flags of `signet init` about an HSM.
type hsmOptions struct{ module, token, pinFile string }

func (opt *hsmOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&opt.module, "hsm-module", "", "make the signing keys in an HSM, by the PKCS#11 library `FILE`")
	cmd.Flags().StringVar(&opt.token, "hsm-token", "", "the `LABEL` of the token in it")
	cmd.Flags().StringVar(&opt.pinFile, "hsm-pin-file", "", "the `FILE` with the token's PIN; or set SIGNET_HSM_PIN")
}

// resolve makes the paths absolute: the configuration is read with another working directory.
func (opt *hsmOptions) resolve() error {
	if opt.module == "" && opt.token == "" && opt.pinFile == "" {
		return nil
	}
	if opt.module == "" || opt.token == "" {
		return cli.Usagef("--hsm-module and --hsm-token belong together: the library, and the token in it")
	}
	for _, path := range []*string{&opt.module, &opt.pinFile} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("finding %s: %w", *path, err)
		}
		*path = abs
	}
	return nil
}

// yaml returns the settings of the HSM for the new configuration.
func (opt *hsmOptions) yaml() string {
	if opt.module == "" {
		return ""
	}
	text := fmt.Sprintf("\nkeys:\n  hsm:\n    module: %q\n    token: %q\n", opt.module, opt.token)
	if opt.pinFile != "" {
		text += fmt.Sprintf("    pin_file: %q\n", opt.pinFile)
	}
	return text
}
