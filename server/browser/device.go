package browser

import (
	"strings"

	"signet/server/edge"
	"signet/store"
)

// DeviceOf returns the browser and the system that the User-Agent of a request names, where they are usual ones. Nothing else of it
// is kept.
func DeviceOf(r *edge.Request) store.Device {
	userAgent := r.Header.Get("User-Agent")
	find := func(list [][2]string) string {
		for _, entry := range list {
			if strings.Contains(userAgent, entry[0]) {
				return entry[1]
			}
		}
		return ""
	}
	// Browsers name those that they want to be taken for, so the order counts.
	browser := find([][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}})
	system := find([][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"}})
	return store.NewDevice(browser, system)
}
