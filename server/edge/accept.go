package edge

import (
	"math"
	"mime"
	"strconv"
	"strings"
)

// AcceptQuality returns how much a caller with these Accept headers wants the media type, from 0 to 1, and
// whether one of them names it in full. The most specific range that fits decides (RFC 9110
// §12.5.1); what cannot be read counts as not written, and a caller that wrote nothing takes anything.
func AcceptQuality(headers []string, media string) (weight float64, named bool) {
	if len(headers) == 0 {
		return 1, false
	}
	best := 0
	for _, element := range listElements(strings.Join(headers, ",")) {
		mediaRange, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		fit, q := specificity(mediaRange, media), quality(params)
		if fit > best || fit == best && fit > 0 && q > weight {
			best, weight = fit, q
		}
	}
	return weight, best == 3
}

// specificity is 3 where the range is the media type itself and 0 where it does not hold it.
func specificity(mediaRange, media string) int {
	main, _, _ := strings.Cut(media, "/")
	switch mediaRange {
	case media:
		return 3
	case main + "/*":
		return 2
	case "*/*":
		return 1
	}
	return 0
}

// quality is the weight of RFC 9110 §12.4.2. One that is none is taken for 0: its caller gets what
// it would get without the range.
func quality(params map[string]string) float64 {
	text, given := params["q"]
	if !given {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(q) || q < 0 || q > 1 {
		return 0
	}
	return q
}

// listElements splits a list at its commas, but not at those in quotes (RFC 9110 §5.6.1).
func listElements(header string) (elements []string) {
	start, quoted := 0, false
	for i := 0; i < len(header); i++ {
		switch b := header[i]; {
		case b == '\\' && quoted:
			i++ // whatever comes next is quoted too
		case b == '"':
			quoted = !quoted
		case b == ',' && !quoted:
			elements = append(elements, header[start:i])
			start = i + 1
		}
	}
	return append(elements, header[start:])
}
