package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"image/png"
	"io"
	"net/http"
	"path"
	"strings"

	"signet/server/edge"
	"signet/server/page/palette"
)

// Folder is the part of an asset's path behind that of the issuer.
const Folder = "/page/"

// Names of assets beside styleFile and scriptFile.
const (
	iconName     = "icon"
	logoName     = "logo"
	logoDarkName = "logo-dark"
)

// Types of assets.
const (
	typeCSS    = "text/css; charset=utf-8"
	typeScript = "text/javascript; charset=utf-8"
	typeSVG    = "image/svg+xml"
	typePNG    = "image/png"
)

// asset is a resource of the pages.
type asset struct {
	path    string
	kind    string // Content-Type
	content []byte
	etag    string
}

// assets are the resources of the pages by name.
type assets struct {
	folder string // of their paths
	byName map[string]asset
}

// newAssets returns the assets below the path of an issuer.
func newAssets(issuerPath string, colors palette.Palette, style []byte, company string) assets {
	a := assets{folder: issuerPath + Folder, byName: map[string]asset{}}
	a.add(styleFile, ".css", typeCSS, append([]byte(colors.CSS()), style...))
	a.add(scriptFile, ".js", typeScript, submitScript)
	a.add(iconName, ".svg", typeSVG, icon(colors, company))
	return a
}

// add gives an asset a path with a hash of what it is.
func (a assets) add(name, extension, kind string, content []byte) {
	sum := sha256.Sum256(content)
	hash := base64.RawURLEncoding.EncodeToString(sum[:9])
	a.byName[name] = asset{path: a.folder + strings.TrimSuffix(name, extension) + "." + hash + extension, kind: kind, content: content, etag: `"` + hash + `"`}
}

// addLogo adds a logo, if there is one.
func (a assets) addLogo(name string, content []byte) error {
	if len(content) == 0 {
		return nil
	}
	kind, err := logoType(content)
	if err != nil {
		return err
	}
	a.add(name, map[string]string{typeSVG: ".svg", typePNG: ".png"}[kind], kind, content)
	return nil
}

func (a assets) path(name string) string { return a.byName[name].path }

// find returns the asset that a path names. current is false if the path has the hash of another content, as one
// of a server with other settings has.
func (a assets) find(requested string) (found asset, current, ok bool) {
	for _, x := range a.byName {
		if x.path == requested {
			return x, true, true
		}
		if withoutHash(x.path) == withoutHash(requested) {
			found, ok = x, true
		}
	}
	return found, false, ok
}

// withoutHash returns the path of an asset without its hash.
func withoutHash(p string) string {
	dir, file := path.Split(p)
	name, rest, _ := strings.Cut(file, ".")
	_, extension, _ := strings.Cut(rest, ".")
	return dir + name + "." + extension
}

// Asset answers a request for a resource of the pages. A path with a hash is for ever the same content, so it is
// cached for a year. While servers with other settings run beside this one, a page of theirs can ask for a
// hash that is not here. It gets the resource of the same name with no-store, so that no cache keeps it under that hash.
func (p *Renderer) Asset(r *edge.Request) (edge.Response, error) {
	a, current, ok := p.assets.find(r.URL.Path)
	if !ok {
		return edge.Response{}, &edge.Error{Status: http.StatusNotFound, Code: "not_found", Description: "there is nothing at this path"}
	}
	h := http.Header{
		"Content-Type": {a.kind},
		// A browser that opens an SVG as a page runs nothing of it.
		"Content-Security-Policy":      {"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
	}
	if current {
		h["Cache-Control"], h["Etag"] = []string{"public, max-age=31536000, immutable"}, []string{a.etag}
		if r.Header.Get("If-None-Match") == a.etag {
			return edge.Response{Status: http.StatusNotModified, Header: h}, nil
		}
	}
	return edge.Response{Status: http.StatusOK, Header: h, Raw: a.content}, nil
}

// icon is what a browser shows in a tab: the initial of the company.
func icon(colors palette.Palette, company string) []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="%s"/>`+
		`<text x="16" y="22.5" text-anchor="middle" font-family="system-ui,sans-serif" font-size="19" font-weight="600" fill="%s">%s</text></svg>`,
		colors.Light.Accent, colors.Light.OnAccent, html.EscapeString(initial(company)))
}

// MaxLogo is how many bytes a logo may have.
const MaxLogo = 100 << 10

// maxLogoSide is how many pixels a PNG may have in a row or a column.
const maxLogoSide = 4096

// logoType returns the Content-Type of a logo, or why it cannot be one.
func logoType(data []byte) (string, error) {
	if len(data) > MaxLogo {
		return "", fmt.Errorf("it has %d bytes, and at most %d are allowed", len(data), MaxLogo)
	}
	if bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) {
		size, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			return "", fmt.Errorf("it is not a PNG that can be read: %w", err)
		}
		if size.Width > maxLogoSide || size.Height > maxLogoSide {
			return "", fmt.Errorf("it has %d × %d pixels, and at most %d × %[3]d are allowed", size.Width, size.Height, maxLogoSide)
		}
		return typePNG, nil
	}
	if err := checkSVG(data); err != nil {
		return "", fmt.Errorf("it is neither a PNG nor an SVG: %w", err)
	}
	return typeSVG, nil
}

// checkSVG reports what is not well-formed XML with an svg element around it, and what would be a script.
func checkSVG(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	root := false
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && root:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("it has no svg element")
		case err != nil:
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !root && (start.Name.Local != "svg" || start.Name.Space != "http://www.w3.org/2000/svg") {
			return errors.New(`its first element is not <svg xmlns="http://www.w3.org/2000/svg">`)
		}
		root = true
		if strings.EqualFold(start.Name.Local, "script") {
			return errors.New("it has a script in it, which no browser would run here")
		}
	}
}
