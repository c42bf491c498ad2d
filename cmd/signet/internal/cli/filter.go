package cli

import "errors"

// Filter is the text of a flag that selects records. It implements pflag.Value and refuses an empty text: the variable
// of a script that is not set would select all records.
type Filter string

// Set stores the text.
func (f *Filter) Set(s string) error {
	if s == "" {
		return errors.New("it is empty; leave the flag out to select all")
	}
	*f = Filter(s)
	return nil
}

// String returns the text.
func (f *Filter) String() string { return string(*f) }

// Type is its name in the help where the flag has no other.
func (*Filter) Type() string { return "string" }
