package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormat(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"order of sections, with their comments", `# my box

admin: {listen: "off"}   # none
# where it comes in
intake:
    # the proxy
    - listen: ":8080"
      # its name
      name: proxy   # short

      mode: explicit
    #- name: other


# top
state: /srv
`, `# my box

# top
state: /srv
# where it comes in
intake:
  # the proxy
  # its name
  - name: proxy   # short
    mode: explicit
    listen: ":8080"
  #- name: other

admin: {listen: "off"}   # none
`},
		{"lists without indentation", "intake:\n- {name: a, mode: explicit, listen: ':1'}\n- mode: explicit\n  name: b\n  listen: ':2'\n",
			"intake:\n  - {name: a, mode: explicit, listen: ':1'}\n  - name: b\n    mode: explicit\n    listen: ':2'\n"},
		{"values over several lines", "base: default\npolicy:\n   rules:\n   - action: tunnel\n     host: [a.test,\n       b.test]   # two\n     name: x\n",
			"base: default\npolicy:\n  rules:\n    - name: x\n      action: tunnel\n      host: [a.test,\n        b.test]   # two\n"},
		{"dash of its own", "intake:\n  -\n    mode: explicit\n    name: a\n    listen: ':1'\n", "intake:\n  - name: a\n    mode: explicit\n    listen: ':1'\n"},
		{"names stay in order", "base: default\npolicy:\n  lists:\n    z: {file: z.txt}\n    a: {file: a.txt}\n", "base: default\npolicy:\n  lists:\n    z: {file: z.txt}\n    a: {file: a.txt}\n"},
		{"comment at the end", "base: default\n# the end", "base: default\n# the end\n"},
		{"braces", "{base: default}\n\n\n", "{base: default}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Format([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			again, err := Format(got)
			if err != nil || string(again) != string(got) {
				t.Errorf("not the same again: %v\n%s", err, again)
			}
		})
	}
}

// Files that come with clearspan are in order, and what is in order stays so.
func TestFormatExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "example.yaml", "builtin.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Format(text)
		if err != nil {
			continue // a bad one
		}
		again, err := Format(got)
		if err != nil || string(again) != string(got) {
			t.Errorf("%s: not the same again, %v:\n%s", file, err, cmp.Diff(string(got), string(again)))
		}
	}
}

// FuzzFormat: what comes out says the same as what went in, or there is an error.
func FuzzFormat(f *testing.F) {
	f.Add(Example)
	f.Add(BuiltIn)
	f.Add([]byte("intake:\n-\n  - a\n  # b\n  -   c: d\n      # e\n      f: |\n        g\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Format(data)
		if err == nil && !same(data, got) {
			t.Errorf("%q became %q", data, got)
		}
	})
}
