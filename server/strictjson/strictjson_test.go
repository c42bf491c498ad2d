package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"signet/server/strictjson"
)

// TestUnmarshal: what two readers could understand in two ways is refused, and no error quotes a value.
func TestUnmarshal(t *testing.T) {
	deep := func(n int) string { return `{"claims":{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}` }
	for _, test := range []struct{ text, want string }{
		{``, "send a JSON object"},
		{` `, "send a JSON object"},
		{`[]`, "send a JSON object"},
		{`null`, "send a JSON object"},
		{`"x"`, "send a JSON object"},
		{`{`, "this is not valid JSON, or ends too early"},
		{`{}`, ""},
		{" \t\r\n{}\n", ""},
		{`{}{}`, "something follows the JSON object"},
		{`{} x`, "something follows the JSON object"},
		{"\ufeff{}", "send a JSON object"},
		{"{\"name\":\"\xff\"}", "the JSON is not UTF-8"},
		{`{"name":"hunter2"}`, ""},
		{`{"name":"hunter2","name":"x"}`, `the member "name" is there twice`},
		{`{"Name":"hunter2"}`, `there is no member "Name" here; leave it out`},
		{`{"NAME":"hunter2"}`, `there is no member "NAME" here; leave it out`},
		{`{"other":"hunter2"}`, `there is no member "other" here; leave it out`},
		{`{"n\u0061me":"a"}`, ""},
		{`{"na me":"a"}`, `there is no member "na me" here; leave it out`},
		{`{"name":7}`, `"name" is of the wrong JSON type`},
		{`{"name":null}`, ""},
		{`{"name":["hunter2"]}`, `"name" is of the wrong JSON type`},
		{`{"name":true}`, `"name" is of the wrong JSON type`},
		{`{"on":"hunter2"}`, `"on" is of the wrong JSON type`},
		{`{"on":1}`, `"on" is of the wrong JSON type`},
		{`{"on":null}`, ""},
		{`{"list":"hunter2"}`, `"list" is of the wrong JSON type`},
		{`{"list":["a",1]}`, `"list" is of the wrong JSON type`},
		{`{"list":[["hunter2"]]}`, `"list" is of the wrong JSON type`},
		{`{"list":null}`, ""},
		{`{"list":[]}`, ""},
		{`{"list":["a","b"]}`, ""},
		{`{"claims":{"a":1,"a":2}}`, `the member "a" is there twice`},
		{`{"claims":{"A":1,"a":2}}`, ""},
		{`{"claims":{"a":{"b":1,"b":2}}}`, `the member "b" is there twice`},
		{`{"claims":"hunter2"}`, `"claims" is of the wrong JSON type`},
		{`{"claims":null}`, ""},
		{`{"claims":{"a":null}}`, ""},
		{`{"claims":{"a":[1,{"b":"c"}]}}`, ""},
		{`{"name":"\ud800"}`, "a string holds U+FFFD or half a surrogate pair"},
		{`{"name":"\ufffd"}`, "a string holds U+FFFD or half a surrogate pair"},
		{`{"name":"\ud83d\ude00"}`, ""},
		{`{"claims":{"\ud800":1}}`, "a string holds U+FFFD or half a surrogate pair"},
		{`{"claims":{"a":"\udc00"}}`, "a string holds U+FFFD or half a surrogate pair"},
		{`{"name":"a",}`, "this is not valid JSON"},
		{`{"name" "a"}`, "this is not valid JSON"},
		{`{"name":hunter2}`, "this is not valid JSON"},
		{`{"name":"a"`, "this is not valid JSON, or ends too early"},
		{`{"name":"hunter2`, "this is not valid JSON, or ends too early"},
		{`{"name":'a'}`, "this is not valid JSON"},
		{`{"name":"a\q"}`, "this is not valid JSON"},
		{`{"name":01}`, "this is not valid JSON"},
		{"{\"name\":\"hunt\ner2\"}", "this is not valid JSON"},
		{`{name:"a"}`, "this is not valid JSON"},
		{`{"a":1 /**/}`, "this is not valid JSON"},
		{`{"inner":{"x":"hunter2"}}`, `"inner.x" is of the wrong JSON type`},
		{`{"inner":{"X":1}}`, `there is no member "X" here; leave it out`},
		{`{"inner":{"y":1}}`, `there is no member "y" here; leave it out`},
		{`{"inner":[]}`, `"inner" is of the wrong JSON type`},
		{`{"inner":{"x":1}}`, ""},
		{`{"claims":{"a":1e400}}`, "a number is larger than other readers of JSON take"},
		{`{"claims":{"a":-1e308}}`, ""},
		{deep(30), ""},
		{deep(31), "the JSON is nested more than 32 deep"},
	} {
		into := struct {
			Name   string                     `json:"name"`
			On     bool                       `json:"on"`
			List   []string                   `json:"list"`
			Claims map[string]json.RawMessage `json:"claims"`
			Inner  struct {
				X int `json:"x"`
			} `json:"inner"`
		}{Name: "before"}
		got := ""
		if err := strictjson.Unmarshal([]byte(test.text), &into); err != nil {
			got = err.Error()
		}
		if before, _, near := strings.Cut(got, ", near byte "); near {
			got = before
		}
		if got != test.want || strings.Contains(got, "hunter2") {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
		if test.text == `{"name":null}` && into.Name != "before" {
			t.Errorf("null: got %q", into.Name)
		}
	}
}
