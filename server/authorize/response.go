package authorize

import (
	"net/url"
	"strings"

	"signet/server/page"
)

// withQuery adds parameters to the query of a URI, which stays as it is otherwise.
func withQuery(uri string, fields []page.Field) string {
	var b strings.Builder
	b.WriteString(uri)
	switch {
	case !strings.Contains(uri, "?"):
		b.WriteByte('?')
	case !strings.HasSuffix(uri, "?") && !strings.HasSuffix(uri, "&"):
		b.WriteByte('&')
	}
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(f.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(f.Value))
	}
	return b.String()
}
