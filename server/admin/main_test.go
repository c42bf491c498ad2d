package admin_test

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue { // many of these tests wait rather than work
		_ = flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}
