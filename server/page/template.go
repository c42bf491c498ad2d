package page

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"text/template/parse"
)

//go:embed files
var embedded embed.FS

// submitScript is what presses the button of Continue.
//
//go:embed submit.js
var submitScript []byte

// builtinFiles are the templates, the style sheet and the languages of the program.
var builtinFiles = func() fs.FS {
	sub, err := fs.Sub(embedded, "files")
	if err != nil {
		panic(err) // it is embedded
	}
	return sub
}()

const (
	layoutFile     = "layout.html"
	styleFile      = "style.css"
	scriptFile     = "submit.js" // not one of files: it cannot be replaced
	languageFolder = "languages"
)

// The pages, each of which has a template NAME.html.
const (
	pageSignIn         = "sign-in"
	pageProblem        = "problem"
	pageAccount        = "account"
	pageConfirmSignOut = "confirm-sign-out"
	pageSignedOut      = "signed-out"
	pageContinue       = "continue"
)

var pages = []string{pageSignIn, pageProblem, pageAccount, pageConfirmSignOut, pageSignedOut, pageContinue}

// noFiles is an empty directory.
type noFiles struct{}

func (noFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// maxFile is the largest file that is read. Templates written by hand are far smaller.
const maxFile = 256 << 10

func readFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: is larger than 256 KiB", name)
	}
	return data, err
}

// readEither reads a file of custom, or of builtin if it is not there.
func readEither(custom, builtin fs.FS, name string) ([]byte, error) {
	data, err := readFile(custom, name)
	if errors.Is(err, fs.ErrNotExist) {
		return readFile(builtin, name)
	}
	return data, err
}

// checkNames refuses files of a directory that replace nothing: a name that is misspelt must not silently leave the
// built-in file in use. Names that begin with a dot are left alone.
func checkNames(custom fs.FS) error {
	if _, none := custom.(noFiles); none {
		return nil
	}
	known := []string{layoutFile, styleFile}
	for _, name := range pages {
		known = append(known, name+".html")
	}
	entries, err := fs.ReadDir(custom, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && name != languageFolder && !slices.Contains(known, name) {
			return fmt.Errorf("%s: replaces nothing; the files are %s, and %s/TAG.json", name, strings.Join(known, ", "), languageFolder)
		}
	}
	entries, err = fs.ReadDir(custom, languageFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && path.Ext(name) != ".json" {
			return fmt.Errorf("%s/%s: a language is a file TAG.json, such as fr.json", languageFolder, name)
		}
	}
	return nil
}

// parseTemplates parses the template of each page, with the layout around it.
func parseTemplates(builtin, custom fs.FS) (map[string]*template.Template, error) {
	layout, err := parseFile(template.New(layoutFile).Option("missingkey=error"), builtin, custom, layoutFile)
	if err != nil {
		return nil, err
	}
	all := map[string]*template.Template{}
	for _, name := range pages {
		t, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if _, err := parseFile(t.New(name+".html"), builtin, custom, name+".html"); err != nil {
			return nil, err
		}
		all[name] = t
	}
	return all, nil
}

// builtinTemplates returns the templates of the program. They are parsed once: executing a template changes nothing.
var builtinTemplates = sync.OnceValues(func() (map[string]*template.Template, error) {
	return parseTemplates(builtinFiles, noFiles{})
})

func parseFile(into *template.Template, builtin, custom fs.FS, name string) (*template.Template, error) {
	data, err := readEither(custom, builtin, name)
	if err != nil {
		return nil, err
	}
	t, err := into.Parse(string(data))
	if err != nil {
		return nil, plainError(err)
	}
	return t, nil
}

// plainError drops the words that the template packages put in front of FILE:LINE.
func plainError(err error) error {
	s := err.Error()
	for _, prefix := range []string{"html/template:", "template: "} {
		s = strings.TrimPrefix(s, prefix)
	}
	return errors.New(strings.TrimSpace(s))
}

// execute renders a template of parseTemplates.
func execute(t *template.Template, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, layoutFile, data); err != nil {
		return nil, plainError(err)
	}
	return b.Bytes(), nil
}

// check reports a text that a template asks for and a language lacks, then what fails where a page is rendered.
func (p *Renderer) check() error {
	for _, name := range pages {
		for _, t := range p.templates[name].Templates() {
			if err := p.checkTexts(t); err != nil {
				return err
			}
		}
	}
	for _, l := range p.languages.list {
		for _, s := range p.samples(l) {
			if _, err := execute(p.templates[s.page], s.data); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTexts looks at the keys of one template.
func (p *Renderer) checkTexts(t *template.Template) error {
	if t.Tree == nil || t.Tree.Root == nil {
		return nil
	}
	for _, use := range textsOf(t.Tree, t.Tree.Root) {
		for _, l := range p.languages.list {
			if _, ok := l.texts[use.key]; !ok {
				return fmt.Errorf("%s: the language %s has no text %q", use.place, l.tag, use.key)
			}
		}
	}
	return nil
}

// textUse is a place of a template that asks for a text.
type textUse struct{ key, place string }

// textsOf returns the texts that a node and those below it ask for by a constant key.
func textsOf(tree *parse.Tree, node parse.Node) (list []textUse) {
	below := func(nodes ...parse.Node) {
		for _, n := range nodes {
			list = append(list, textsOf(tree, n)...)
		}
	}
	branch := func(b *parse.BranchNode) {
		below(b.Pipe, b.List)
		if b.ElseList != nil {
			below(b.ElseList)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		below(n.Nodes...)
	case *parse.ActionNode:
		below(n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		for _, c := range n.Cmds {
			below(c)
		}
	case *parse.CommandNode:
		if key, ok := n.Args[max(0, min(1, len(n.Args)-1))].(*parse.StringNode); ok && isText(n.Args[0]) {
			place, _ := tree.ErrorContext(n)
			list = append(list, textUse{key.Text, place})
		}
		below(n.Args...)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		below(n.Pipe)
	}
	return list
}

// isText reports whether a node is .Text or $.Text.
func isText(node parse.Node) bool {
	var names []string
	switch n := node.(type) {
	case *parse.FieldNode:
		names = n.Ident
	case *parse.VariableNode:
		names = n.Ident
	}
	return len(names) > 0 && names[len(names)-1] == "Text"
}
