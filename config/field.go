package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one key that can be set, found in Config by reflection so that none can be forgotten.
type field struct {
	path  string // refresh.grace
	env   string // SIGNET_REFRESH_GRACE
	live  bool
	value reflect.Value
}

// fields returns every field of c in the order of the file.
func fields(c *Config) []field {
	return appendFields(nil, "", reflect.ValueOf(c).Elem())
}

func appendFields(list []field, prefix string, v reflect.Value) []field {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		path := prefix + sf.Tag.Get("yaml")
		if sf.Type.Kind() == reflect.Struct {
			list = appendFields(list, path+".", v.Field(i))
			continue
		}
		list = append(list, field{path: path, env: envName(path), live: sf.Tag.Get("live") == "true", value: v.Field(i)})
	}
	return list
}

func envName(path string) string {
	return "SIGNET_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

func (f field) isList() bool { return f.value.Kind() == reflect.Slice }

// set gives the field the value that one string spells.
func (f field) set(s string) error {
	switch p := f.value.Addr().Interface().(type) {
	case *string:
		*p = s
	case *bool:
		return setBool(p, s)
	case *time.Duration:
		return assign(p, s, ParseDuration)
	case *int, *uint8, *uint32:
		return f.setNumber(s)
	default:
		return fmt.Errorf("cannot be set from one value; give it a list")
	}
	return nil
}

// setList gives a list its elements.
func (f field) setList(elems []string) error {
	switch p := f.value.Addr().Interface().(type) {
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

// setBool knows the words of YAML only: a "1" or "yes" that some readers take and others do not is refused.
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

func (f field) setNumber(s string) error {
	if f.value.CanInt() {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		f.value.SetInt(n)
		return nil
	}
	n, err := strconv.ParseUint(s, 10, f.value.Type().Bits())
	if err != nil {
		return fmt.Errorf("%q is not a whole number from 0 to %d", s, uint64(1)<<f.value.Type().Bits()-1)
	}
	f.value.SetUint(n)
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
