package reader

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"signet/config/duration"
)

// Field is one key that can be set, found by reflection so that none can be forgotten.
type Field struct {
	Path     string        // refresh.grace
	Variable string        // SIGNET_REFRESH_GRACE
	Live     bool          // has the tag live:"true"
	Value    reflect.Value // can be set
}

// Fields returns every field of the struct that settings points to, in its order.
func Fields(settings any) []Field {
	return appendFields(nil, "", reflect.ValueOf(settings).Elem())
}

func appendFields(list []Field, prefix string, v reflect.Value) []Field {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		path := prefix + sf.Tag.Get("yaml")
		if sf.Type.Kind() == reflect.Struct {
			list = appendFields(list, path+".", v.Field(i))
			continue
		}
		list = append(list, Field{Path: path, Variable: variable(path), Live: sf.Tag.Get("live") == "true", Value: v.Field(i)})
	}
	return list
}

func variable(path string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

func (f Field) isList() bool { return f.Value.Kind() == reflect.Slice }

// set gives the field the value that one string spells.
func (f Field) set(s string) error {
	switch p := f.Value.Addr().Interface().(type) {
	case *string:
		*p = s
	case *bool:
		return setBool(p, s)
	case *time.Duration:
		return assign(p, s, duration.Parse)
	case *int, *uint8, *uint32:
		return f.setNumber(s)
	default:
		return fmt.Errorf("cannot be set from one value; give it a list")
	}
	return nil
}

// setList gives a list its elements.
func (f Field) setList(elems []string) error {
	switch p := f.Value.Addr().Interface().(type) {
	case *[]string:
		*p = elems
		return nil
	case *[]netip.Prefix:
		return setPrefixes(p, elems)
	default:
		return errors.New("takes one value, not a list")
	}
}

func assign[T any](p *T, s string, parse func(string) (T, error)) error {
	v, err := parse(s)
	if err == nil {
		*p = v
	}
	return err
}

// setBool accepts the words of YAML only, because some readers accept "1" and "yes" and others do not.
func setBool(p *bool, s string) error {
	switch s {
	case "true", "True", "TRUE":
		*p = true
	case "false", "False", "FALSE":
		*p = false
	default:
		return fmt.Errorf("%q is neither true nor false", s)
	}
	return nil
}

func (f Field) setNumber(s string) error {
	if f.Value.CanInt() {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		f.Value.SetInt(n)
		return nil
	}
	n, err := strconv.ParseUint(s, 10, f.Value.Type().Bits())
	if err != nil {
		return fmt.Errorf("%q is not a whole number from 0 to %d", s, uint64(1)<<f.Value.Type().Bits()-1)
	}
	f.Value.SetUint(n)
	return nil
}

func setPrefixes(p *[]netip.Prefix, elems []string) error {
	list := make([]netip.Prefix, 0, len(elems))
	for _, s := range elems {
		prefix, err := parsePrefix(s)
		if err != nil {
			return err
		}
		list = append(list, prefix)
	}
	*p = list
	return nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a CIDR range; write it like 10.0.0.0/8", s)
	}
	return prefix.Masked(), nil
}

func (r *Reading) field(path string) (Field, bool) {
	for _, f := range r.fields {
		if f.Path == path {
			return f, true
		}
	}
	return Field{}, false
}

func (r *Reading) isSection(path string) bool {
	for _, f := range r.fields {
		if strings.HasPrefix(f.Path, path+".") {
			return true
		}
	}
	return false
}
