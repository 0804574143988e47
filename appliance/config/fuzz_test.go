package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse holds that any octets give either a configuration or errors with a
// place, one line each, in the order of the file.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "example.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{"", "\t", "? a", "a: |\n  b", "a: 'b", "\"", "{a: [b, {c: d}]}", "%YAML 1.2\n---\n", "a: !!binary x", "- - - a", "a:\r\n b: ~",
		"\ufeff%TAG ! x\n---\na: ! b\n...\n---\n", "a: &b [*b, {<<: *c}]", "[a: {b, ? c: d}", "a: >2-\n  b\n\n c", "{a:b, \"c\":d}\n# e\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		c, err := Parse("f.yaml", data, "testdata")
		if err == nil {
			if len(c.Intakes) == 0 {
				t.Error("accepted without an intake")
			}
			return
		}
		errs, ok := err.(Errors)
		if !ok || len(errs) == 0 || c != nil {
			t.Fatalf("configuration %v, error %T %v", c, err, err)
		}
		for i, e := range errs {
			if e.Line < 1 || e.Col < 1 || e.Message == "" || strings.ContainsAny(e.Error(), "\n\r") {
				t.Errorf("bad error %#v", e)
			}
			if i > 0 && (place{e.Line, e.Col}).compare(place{errs[i-1].Line, errs[i-1].Col}) < 0 {
				t.Errorf("%v comes after %v", e, errs[i-1])
			}
		}
	})
}
