package server

// AdminVerb is a row of adminVerbs, for tests of the whole table.
type AdminVerb struct {
	Method, Path, Name, Scope string
	Stream                    bool
}

func AdminVerbs() []AdminVerb {
	var all []AdminVerb
	for _, v := range adminVerbs {
		all = append(all, AdminVerb{v.method, v.path, v.name, v.scope, v.stream})
	}
	return all
}
