package page_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"signet/server/edge"
	"signet/server/page"
	"signet/server/page/palette"
)

const svg = `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><path d="M0 0"/></svg>`

// asset requests a resource. A path that is not one is an empty response.
func asset(t testing.TB, p *page.Renderer, path, etag string) edge.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("If-None-Match", etag)
	response, err := p.Asset(&edge.Request{Request: r})
	if err != nil {
		return edge.Response{}
	}
	return response
}

var resource = regexp.MustCompile(`(?:href|src|srcset)="(/[^"]*/page/[^"]*)"`)

// assetPaths returns the resources of this server that a page asks for.
func assetPaths(body []byte) (paths []string) {
	for _, m := range resource.FindAllSubmatch(body, -1) {
		paths = append(paths, string(m[1]))
	}
	return slices.Compact(slices.Sorted(slices.Values(paths)))
}

// TestAssets: each resource that a page asks for is there, cached for ever, and harmless on its own.
func TestAssets(t *testing.T) {
	p := newRenderer(t, page.Config{Logo: []byte(svg), LogoDark: pixels(t, 20, 10)})
	paths := assetPaths(slices.Concat(p.SignIn(page.SignIn{}).Raw, p.Continue(page.Continue{}).Raw))
	if len(paths) != 5 { // style, icon, two logos, script
		t.Errorf("the pages have %v", paths)
	}
	for _, path := range paths {
		if !strings.HasPrefix(path, "/tenant"+page.Folder) {
			t.Errorf("%s is not below the issuer's path", path)
		}
		response := asset(t, p, path, "")
		h := response.Header
		if len(response.Raw) == 0 || h.Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", path, h)
		}
		if again := asset(t, p, path, h.Get("ETag")); again.Status != http.StatusNotModified || len(again.Raw) > 0 {
			t.Errorf("%s: asked again it is %d with %d bytes", path, again.Status, len(again.Raw))
		}
	}
	for _, path := range []string{"/page/", "/page/style.css", "/tenant/page/../page/x.css", "/tenant/page/other.AAAA.css", "/tenant/page/logo", "/"} {
		if response := asset(t, p, path, ""); response.Raw != nil {
			t.Errorf("%s is %d bytes of %s", path, len(response.Raw), response.Header.Get("Content-Type"))
		}
	}
}

// TestAssetOfAnotherServer: while servers run with two settings, a page of one may ask the other for its style sheet.
func TestAssetOfAnotherServer(t *testing.T) {
	old := newRenderer(t, page.Config{})
	new := newRenderer(t, page.Config{Colors: palette.Settings{Accent: "#336600"}, Files: fstest.MapFS{}})
	for _, path := range assetPaths(old.SignIn(page.SignIn{}).Raw) {
		response := asset(t, new, path, "")
		if len(response.Raw) == 0 || response.Header.Get("Cache-Control") != "" {
			t.Errorf("%s: %d bytes, %v; it must be there, and must not be kept", path, len(response.Raw), response.Header)
		}
	}
}

// TestLogo: a file that no browser would show, or that is large, is refused at the start.
func TestLogo(t *testing.T) {
	for name, c := range map[string]struct {
		logo []byte
		want string
	}{
		"svg":        {[]byte(svg), ""},
		"png":        {pixels(t, 300, 80), ""},
		"huge png":   {pixels(t, 5000, 1), "pixels"},
		"broken png": {pixels(t, 3, 3)[:20], "not a PNG that can be read"},
		"large":      {[]byte(svg + strings.Repeat(" ", page.MaxLogo)), "at most"},
		"jpeg":       {[]byte("\xff\xd8\xff\xe0"), "neither"},
		"html":       {[]byte("<html></html>"), "first element"},
		"text":       {[]byte("logo"), "no svg element"},
		"not xml":    {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><path></svg>`), "neither"},
		"script":     {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "script"},
	} {
		_, err := page.New(page.Config{Issuer: "https://auth.example.com", Logo: c.logo})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "Logo: ")) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func pixels(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
