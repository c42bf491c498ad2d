package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"signet/config"
	"signet/server/page"
)

// NewPages returns what renders the pages that people see. log is for what goes wrong later.
func NewPages(cfg config.Config, log *slog.Logger) (*page.Renderer, error) {
	p := cfg.Page
	out := page.Config{Issuer: cfg.Issuer, Company: p.Company, Language: p.Language, Colors: p.Colors.Palette(),
		Links: page.Links{ForgotPassword: p.Links.ForgotPassword, Help: p.Links.Help, Privacy: p.Links.Privacy, Terms: p.Links.Terms, Imprint: p.Links.Imprint},
		Failed: func(err error) {
			log.Error("a template of page.templates failed; the program's own page was shown", slog.Any("error", err))
		}}
	var err error
	if out.Logo, err = readLogo(p.Logo); err != nil {
		return nil, fmt.Errorf("page.logo: %w", err)
	}
	if out.LogoDark, err = readLogo(p.LogoDark); err != nil {
		return nil, fmt.Errorf("page.logo_dark: %w", err)
	}
	if p.Templates != "" {
		out.Files = os.DirFS(p.Templates)
	}
	pages, err := page.New(out)
	var wrong *page.Error
	if !errors.As(err, &wrong) {
		return pages, err
	}
	setting, place := map[string]string{"Logo": "page.logo", "LogoDark": "page.logo_dark", "Files": "page.templates", "Language": "page.language"}[wrong.Field],
		map[string]string{"Logo": p.Logo, "LogoDark": p.LogoDark, "Files": p.Templates}[wrong.Field]
	if setting == "" {
		return nil, fmt.Errorf("page: %w", err)
	}
	if place != "" {
		return nil, fmt.Errorf("%s: %s: %w", setting, place, wrong.Err)
	}
	return nil, fmt.Errorf("%s: %w", setting, wrong.Err)
}

// readLogo reads at most one byte more than a logo may have, so that the package with its rules can refuse it.
func readLogo(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, page.MaxLogo+1))
}
