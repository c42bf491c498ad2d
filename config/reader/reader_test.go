package reader_test

import (
	"slices"
	"testing"
	"time"

	"signet/config/reader"
)

type settings struct {
	Name string `yaml:"name" live:"true"`
	Door struct {
		Open  bool          `yaml:"open"`
		Width uint8         `yaml:"width"`
		Wait  time.Duration `yaml:"wait"`
		Locks []string      `yaml:"locks"`
	} `yaml:"door"`
}

func TestRead(t *testing.T) {
	got := settings{Name: "default"}
	got.Door.Wait = time.Minute
	r := reader.Read(&got, reader.Input{
		Name:  "house.yaml",
		File:  []byte("door:\n  open: true\n  width: wide\n  locks: [a, b]\n  colour: red\n"),
		Env:   []string{"SIGNET_DOOR_LOCKS=c, d", "SIGNET_DOOR_WIDTH=7", "SIGNET_DOOR_WAIT=", "SIGNET_NAMED=x", "SIGNET_KEPT=y", "HOME=/"},
		Other: []string{"SIGNET_KEPT"},
	})
	if got.Name != "default" || !got.Door.Open || got.Door.Width != 7 || got.Door.Wait != time.Minute || !slices.Equal(got.Door.Locks, []string{"c", "d"}) {
		t.Errorf("got %+v", got)
	}
	if len(r.Problems) != 1 || r.Problems[0].Error() != "house.yaml:5: door.colour: unknown key; remove it, or see deploy/signet.example.yaml for the keys there are" {
		t.Errorf("got problems %v", r.Problems)
	}
	if want := []string{"SIGNET_NAMED: there is no such setting and it has no effect; did you mean SIGNET_NAME?"}; !slices.Equal(r.Unknown, want) {
		t.Errorf("got unknown variables %q", r.Unknown)
	}
	for path, want := range map[string]string{"door.open": "house.yaml:2", "door.locks": "SIGNET_DOOR_LOCKS", "door.wait": "house.yaml"} {
		if got := r.Source(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestFields(t *testing.T) {
	var got []string
	for _, f := range reader.Fields(new(settings)) {
		got = append(got, f.Path+" "+f.Variable)
		if f.Live != (f.Path == "name") {
			t.Errorf("%s: live is %v", f.Path, f.Live)
		}
	}
	want := []string{"name SIGNET_NAME", "door.open SIGNET_DOOR_OPEN", "door.width SIGNET_DOOR_WIDTH", "door.wait SIGNET_DOOR_WAIT", "door.locks SIGNET_DOOR_LOCKS"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
