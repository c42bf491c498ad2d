package storetest

import (
	"errors"
	"reflect"
	"testing"
)

// failer is what the helpers need of a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

func noError(t failer, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: got error %q, want none", what, err)
	}
}

func wantError(t failer, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %q", what, got, want)
	}
}

func equal(t failer, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// must returns the value of a call that is not expected to fail.
func must[T any](t testing.TB, what string) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		noError(t, what, err)
		return v
	}
}
