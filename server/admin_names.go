package server

import (
	"net/url"

	"signet/server/edge"
)

// checkOrigin takes exactly what a browser, or the web view of an app, sends as Origin; anything else would
// never match.
func checkOrigin(origin string) string {
	if len(origin) > edge.MaxOrigin || !edge.IsOrigin(origin) {
		if meant := edge.OriginOfURL(origin); len(meant) <= edge.MaxOrigin && edge.IsOrigin(meant) {
			return "must be an origin as browsers send it: write " + meant
		}
		return "must be an origin as browsers send it, such as https://app.example, http://localhost:5173 or capacitor://localhost: no path, no slash at the end, no *"
	}
	u, _ := url.Parse(origin)
	if u.Scheme == "http" && !edge.Loopback(u.Hostname()) {
		return "must begin with https://; http is for loopback addresses"
	}
	return ""
}
