package accountpage

import "strings"

// deviceOf returns the browser and the system that a User-Agent names, as people call them. Empty: it is none of the
// usual ones. It is shown only to the user whose browser has sent it.
func deviceOf(userAgent string) (browser, system string) {
	find := func(list [][2]string) string {
		for _, entry := range list {
			if strings.Contains(userAgent, entry[0]) {
				return entry[1]
			}
		}
		return ""
	}
	// Browsers name those that they want to be taken for, so the order counts.
	browser = find([][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}})
	system = find([][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"}})
	return browser, system
}
