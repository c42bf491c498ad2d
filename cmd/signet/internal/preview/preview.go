// Package preview has the commands for those who design the pages that people see: `signet page export` writes the
// program's own files, and `signet page preview` shows all pages as a configuration makes them.
package preview

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/daemon"
	"signet/config"
	"signet/server/edge"
	"signet/server/page"
)

// New returns the command `signet page`.
func New(app *cli.App) *cobra.Command {
	return cli.Group("page", "Design the pages that people see where they sign in",
		"Design the pages that people see where they sign in. The settings below page of the configuration have the\n"+
			"company's name, logo, colours and links; page.templates is for everything else.",
		export(app), show(app))
}

func export(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "Write the program's own templates, style sheet and languages",
		Long: `Write the program's own templates, style sheet and languages to DIR, which is made. Change them and
name DIR in page.templates. Remove the files that you do not change: the program's own are then used,
also those of later versions.`,
		Example: "signet page export pages",
		Args:    cli.Args("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := write(args[0])
			if err != nil {
				return err
			}
			return app.Print(map[string]any{"dir": args[0], "files": files}, func(w io.Writer) {
				for _, name := range files {
					fmt.Fprintln(w, filepath.Join(args[0], name))
				}
			})
		},
	}
}

// write writes the files to a directory that it makes.
func write(dir string) (files []string, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the directory: %w", err)
	}
	builtin := page.Builtin()
	err = fs.WalkDir(builtin, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case entry.IsDir():
			return os.Mkdir(filepath.Join(dir, name), 0o755)
		}
		text, err := fs.ReadFile(builtin, name)
		if err != nil {
			return err
		}
		files = append(files, name)
		return os.WriteFile(filepath.Join(dir, name), text, 0o644)
	})
	return files, err
}

func show(app *cli.App) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show all pages in a browser",
		Long: `Show all pages in a browser, as the configuration makes them, until Ctrl-C. It reads the configuration
and its files again for each page, so reload the page after a change. What is wrong with them stands
in its place. Without a configuration it shows the program's own pages. It needs no server, and
nothing that is typed into a page is kept or sent on.`,
		Example: "signet page preview --config signet.yaml",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			host, _, err := net.SplitHostPort(listen)
			if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return cli.Usagef("--listen %s is not HOST:PORT of this machine alone; write it like 127.0.0.1:8090", listen)
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			v := &viewer{app: app, url: "http://" + l.Addr().String()}
			if err := app.Print(map[string]string{"url": v.url}, func(w io.Writer) { fmt.Fprintf(w, "open %s/ in a browser; Ctrl-C ends it\n", v.url) }); err != nil {
				return err
			}
			return serve(cmd.Context(), l, v)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "listen on `HOST:PORT` of this machine; port 0: any that is free")
	return configfile.Flag(app, cmd)
}

// serve runs until ctx ends.
func serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// viewer shows the pages.
type viewer struct {
	app *cli.App
	url string
}

// pages reads the configuration.
func (v *viewer) pages() (*page.Renderer, error) {
	cfg := config.Default()
	cfg.Page.Company = "Your company"
	if configfile.Path(v.app) != "" || v.app.Getenv("SIGNET_ISSUER") != "" {
		var err error
		if cfg, _, err = configfile.ReadPath(v.app, configfile.Path(v.app), v.app.Environ); err != nil {
			return nil, err
		}
	}
	if issuer, err := url.Parse(cfg.Issuer); err == nil && cfg.Page.Company == "" && issuer.Host != "" {
		cfg.Page.Company = issuer.Hostname()
	}
	cfg.Issuer = v.url
	return daemon.NewPages(cfg, slog.New(slog.NewTextHandler(v.app.Err, nil)))
}

// ServeHTTP shows the list of pages, a page, or a resource of it.
func (v *viewer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pages, err := v.pages()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if strings.HasPrefix(r.URL.Path, page.Folder) {
		if answer, err := pages.Asset(&edge.Request{Request: r}); err == nil {
			send(w, answer)
			return
		}
	}
	examples := pages.Examples(page.Reader{UILocales: r.URL.Query().Get("language")}, "/", v.app.Clock())
	if r.URL.Path == "/" {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'none'; frame-ancestors 'none'")
		if err := list.Execute(w, map[string]any{"Pages": examples, "Languages": pages.Languages()}); err != nil {
			v.app.Warn(err)
		}
		return
	}
	for _, e := range examples {
		if r.URL.Path == "/"+e.Name {
			send(w, e.Response)
			return
		}
	}
	http.NotFound(w, r)
}

func send(w http.ResponseWriter, answer edge.Response) {
	maps.Copy(w.Header(), answer.Header)
	if answer.Header.Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Raw) // a browser that has gone needs nothing more
}

var list = template.Must(template.New("list").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Pages</title>
<h1>Pages</h1>
<ul>
{{- range $page := .Pages}}
<li>{{$page.Name}}:{{range $.Languages}} <a href="/{{$page.Name}}?language={{.}}">{{.}}</a>{{end}}</li>
{{- end}}
</ul>
</html>
`))
