package page

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// text is one text of a language file: a string, or an object with a string for each plural form.
type text map[plural.Form]string

var pluralForms = map[string]plural.Form{"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many,
	"other": plural.Other}

// UnmarshalJSON reads a string or an object.
func (t *text) UnmarshalJSON(data []byte) error {
	*t = text{}
	var one string
	if json.Unmarshal(data, &one) == nil {
		(*t)[plural.Other] = one
		return nil
	}
	var forms map[string]string
	if err := json.Unmarshal(data, &forms); err != nil {
		return errors.New("a text is a string, or an object of strings for zero, one, two, few, many, other")
	}
	for name, s := range forms {
		form, ok := pluralForms[name]
		if !ok {
			return fmt.Errorf("%.20q is not one of zero, one, two, few, many, other", name)
		}
		(*t)[form] = s
	}
	if _, ok := (*t)[plural.Other]; !ok {
		return errors.New("the form other is missing")
	}
	return nil
}

// locale is one language file.
type locale struct {
	tag   language.Tag
	texts map[string]text
}

// get returns the text of a key. args are pairs: the name of a placeholder and what stands in its place. Those of
// the placeholder count choose the plural form. A key that is not there is returned itself: New has checked those
// of the templates.
func (l *locale) get(key string, args ...any) string {
	t := l.texts[key]
	form, pairs := plural.Other, make([]string, 0, 8)
	for i := 0; i+1 < len(args); i += 2 {
		name, value := fmt.Sprint(args[i]), fmt.Sprint(args[i+1])
		if n, err := strconv.Atoi(value); err == nil && name == "count" && n >= 0 {
			form = plural.Cardinal.MatchPlural(l.tag, n, 0, 0, 0, 0)
		}
		pairs = append(pairs, "{"+name+"}", isolate(value))
	}
	s, ok := t[form]
	if !ok {
		s, ok = t[plural.Other]
	}
	if !ok {
		return key
	}
	if len(pairs) == 0 {
		return s
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// isolate keeps a value whose characters may run from right to left from changing the order of the words around
// it (Unicode UAX 9, FSI and PDI). Marks in the value that could end the isolation are dropped.
func isolate(s string) string {
	if !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x590 }) {
		return s
	}
	s = strings.Map(func(c rune) rune {
		if c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == utf8.RuneError {
			return -1
		}
		return c
	}, s)
	return "\u2068" + s + "\u2069"
}

// direction is the dir attribute of the language.
func (l *locale) direction() string {
	switch script, _ := l.tag.Script(); script.String() {
	case "Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Rohg":
		return "rtl"
	}
	return "ltr"
}

// wait words how long to wait.
func (l *locale) wait(d time.Duration) string {
	if d > 90*time.Second {
		return l.get("wait.minutes", "count", int((d+time.Minute-1)/time.Minute))
	}
	return l.get("wait.seconds", "count", max(1, int((d+time.Second-1)/time.Second)))
}

// ago words how long something is past.
func (l *locale) ago(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return l.get("ago.now")
	case d < 90*time.Minute:
		return l.get("ago.minutes", "count", int(d/time.Minute))
	case d < 24*time.Hour:
		return l.get("ago.hours", "count", max(1, int(d/time.Hour)))
	}
	return l.get("ago.days", "count", int(d/(24*time.Hour)))
}

// languages are those that there are.
type languages struct {
	list    []*locale // the first one is what counts where none matches
	matcher language.Matcher
}

// readLanguages reads the language files of builtin, and those of custom over them. A file of custom may leave out
// what the built-in one of its language has.
func readLanguages(builtin, custom fs.FS) (*languages, error) {
	byTag := map[string]*locale{}
	if err := addLanguages(byTag, builtin); err != nil {
		return nil, err
	}
	reference := maps.Clone(byTag[fallbackLanguage].texts)
	if err := addLanguages(byTag, custom); err != nil {
		return nil, err
	}
	ls := &languages{}
	for _, name := range slices.Sorted(maps.Keys(byTag)) {
		if err := byTag[name].complete(name, reference); err != nil {
			return nil, err
		}
		ls.list = append(ls.list, byTag[name])
	}
	return ls, ls.prefer(fallbackLanguage)
}

// prefer makes a language the one that counts where none matches.
func (ls *languages) prefer(name string) error {
	names := make([]string, len(ls.list))
	for i, l := range ls.list {
		names[i] = l.tag.String()
	}
	i := slices.Index(names, name)
	if i < 0 {
		slices.Sort(names)
		return fmt.Errorf("there is no language %q; there are %s", name, strings.Join(names, ", "))
	}
	ls.list[0], ls.list[i] = ls.list[i], ls.list[0]
	tags := make([]language.Tag, len(ls.list))
	for i, l := range ls.list {
		tags[i] = l.tag
	}
	ls.matcher = language.NewMatcher(tags)
	return nil
}

// fallbackLanguage is the one that has every key.
const fallbackLanguage = "en"

func addLanguages(byTag map[string]*locale, files fs.FS) error {
	names, err := fs.Glob(files, languageFolder+"/*.json")
	if err != nil {
		return err
	}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".json")
		tag, err := language.Parse(name)
		if err != nil || tag.String() != name {
			return fmt.Errorf("%s: the name is not a language tag, such as fr or pt-BR", file)
		}
		data, err := readFile(files, file)
		if err != nil {
			return err
		}
		var texts map[string]text
		if err := json.Unmarshal(data, &texts); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		l := byTag[name]
		if l == nil {
			l = &locale{tag: tag, texts: map[string]text{}}
			byTag[name] = l
		}
		maps.Copy(l.texts, texts)
	}
	return nil
}

// complete reports the keys that a language lacks, and those that only it has. A text for the templates of a
// company can have a key that begins with own.
func (l *locale) complete(name string, reference map[string]text) error {
	file := languageFolder + "/" + name + ".json"
	for _, key := range slices.Sorted(maps.Keys(reference)) {
		if _, ok := l.texts[key]; !ok {
			return fmt.Errorf("%s: the text %q is missing", file, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.texts)) {
		if _, ok := reference[key]; !ok && !strings.HasPrefix(key, "own.") {
			return fmt.Errorf("%s: no page has the text %.60q; the name of a text for your own templates begins with \"own.\"", file, key)
		}
	}
	return nil
}

// Limits of what is read of a request to choose a language. Real requests are shorter, and the parser's work
// grows with the length.
const (
	maxLanguageText = 256
	maxLanguageTags = 10
)

// choose returns the language for a request by its ui_locales (tags with spaces between them, the preferred
// one first) and Accept-Language (RFC 9110 §12.5.4). What cannot be read is left out.
func (ls *languages) choose(uiLocales, acceptLanguage string) *locale {
	var asked []language.Tag
	for name := range strings.FieldsSeq(cut(uiLocales)) {
		if tag, err := language.Parse(name); err == nil && len(asked) < maxLanguageTags {
			asked = append(asked, tag)
		}
	}
	if l, ok := ls.match(asked); ok {
		return l
	}
	if accepted, _, err := language.ParseAcceptLanguage(cut(acceptLanguage)); err == nil && len(accepted) > 0 {
		if l, ok := ls.match(accepted[:min(len(accepted), maxLanguageTags)]); ok {
			return l
		}
	}
	return ls.list[0]
}

func (ls *languages) match(asked []language.Tag) (*locale, bool) {
	if len(asked) == 0 {
		return nil, false
	}
	_, i, confidence := ls.matcher.Match(asked...)
	return ls.list[i], confidence > language.No
}

// cut shortens s to what is read of it, at the end of an entry.
func cut(s string) string {
	if len(s) <= maxLanguageText {
		return s
	}
	s = s[:maxLanguageText]
	if end := strings.LastIndexAny(s, ", "); end >= 0 {
		return s[:end]
	}
	return ""
}
