package config

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/intake"

	"github.com/google/go-cmp/cmp"
)

func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"colon in a text", "a: b: c\n", "1:5: " + oneColon},
		{"colon in a text in a list", "a: [b: c: d]\n", "1:9: " + oneColon},
		{"indented too far", "a: b\n  c: d\n", "2:4: " + oneColon},
		{"no colon", "a: b\nc\n", `2:1: want ":" after this key`},
		{"no key", "a: \"b\" c\n", "1:8: want a key here: check indentation and quotes"},
		{"no dash", "a:\n  - b\n  c: d\n", `3:3: want "- " as before the items above: check the indentation`},
		{"dash behind a key", "a: - b\n", `1:4: unexpected "- ": start a list on a line of its own`},
		{"no text", "a: @b\n", "1:4: no value starts with this character: quote the text"},
		{"tab", "a:\n\tb: c\n", "2:1: " + noTabs},
		{"tab behind spaces", "a:\n  b:\n  \t- c\n", "3:3: " + noTabs},
		{"tab behind a value", "a:\n  - b\n\t- c\n", "3:1: " + noTabs},
		{"no value", "a: ]\n", "1:4: want a value here"},
		{"behind the end", "{a: b}\nc\n", "2:1: unexpected text: the value above is complete"},
		{"escape", `a: "\q"`, `1:5: unknown escape: write "\\" for a backslash, or use single quotes`},
		{"double quotes", "a: b\nc: \"d\ne: f\n", "2:4: text in quotes is not closed"},
		{"single quotes", "a: 'b\n---\n", "1:4: text in quotes is not closed"},
		{"list", "a: b\nc: [d,\n", `2:4: "[" is not closed`},
		{"list without line end", "a: [[b], [ # c", `1:10: "[" is not closed`},
		{"list with a key of the next line", "a: [b\nc: d\n", `1:4: "[" is not closed: want "," or "]" on line 2, column 2`},
		{"table", "a: {b: c,\n", `1:4: "{" is not closed`},
		{"table of the next line", "a: {b: c\n\nd: e}\n", `1:4: "{" is not closed: want "," or "}" on line 3, column 2`},
		{"brackets", "a: [b, c}\n", `1:9: want "," or "]"`},
		{"control character", "a: b\n# c\x01\n", "2:4: control characters are not allowed: write them as escapes in double quotes"},
		{"NUL", "a: b\n\x00", "2:1: control characters are not allowed: write them as escapes in double quotes"},
		{"no character", "a: \uffff\n", "1:4: control characters are not allowed: write them as escapes in double quotes"},
		{"no UTF-8", "é: \xff\n", "1:4: file is not UTF-8 text"},
		{"UTF-16", "\xff\xfea\x00", "1:1: file is not UTF-8 text"},
		{"anchor", "a: b\nc: &d e\n", "2:4: " + noAnchors},
		{"alias", "a: *b\n", "1:4: " + noAnchors},
		{"star", "host: [a.test, *.b.test]\n", "1:16: " + noAnchors},
		{"merge key", "a: {<<: {b: c}}\n", "1:5: " + noAnchors},
		{"tag", "a: !!int 1\n", "1:4: " + noTags},
		{"local tag", "a:\n  - !b c\n", "2:5: " + noTags},
		{"tag without a name", "a: ! b\n", "1:4: " + noTags},
		{"tag with an unknown handle", "a: !b!c d\n", "1:4: " + noTags},
		{"no tag", "a: !<b c\n", "1:4: " + noTags},
		{"list as a key", "? [a]\n: b\n", "1:3: complex keys are not supported"},
		{"table as a key", "a: {{b: c}: d}\n", "1:5: complex keys are not supported"},
		{"version", "# a\n\n%YAML 1.2\n---\na: b\n", "3:1: directives are not supported"},
		{"prefix", "\ufeff%TAG ! a:\n---\na: b\n", "1:1: directives are not supported"},
		{"unknown directive", "%A\n---\n", "1:1: directives are not supported"},
		{"second document", "a: b\n---\n", "2:1: want one document in the file"},
		{"document behind an end", "a: b\n...\nc: d\n", "3:1: want one document in the file"},
		{"deep lists", strings.Repeat("[", maxDepth+1), "1:17: nested too deep"},
		{"deep indentation", "- " + strings.Repeat("- ", maxDepth) + "a", "1:33: nested too deep"},
		{"block scalar", "a: |x\n", "1:5: while scanning a block scalar: did not find expected comment or line break"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.text), ".")
			if got := strings.TrimPrefix(err.Error(), "f:"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// One configuration, as YAML permits it to be written.
func TestNotations(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"block", "state: /s\nintake:\n  - name: a\n    mode: explicit\n    listen: 127.0.0.1:1\n"},
		{"list as deep as its key", "state: /s\nintake:\n- name: a\n  mode: explicit\n  listen: 127.0.0.1:1\n"},
		{"flow", "{state: /s, intake: [{name: a, mode: explicit, listen: 127.0.0.1:1}]}"},
		{"flow on several lines", "{state: /s,\nintake: [\n {name: a,\n\tmode: explicit, listen: 127.0.0.1:1,},\n]\n}\n"},
		{"quotes", "'state': \"\\x2fs\"\n\"intake\":\n- {\"name\":\"a\",'mode':'explicit', \"listen\": \"127.0.0.1:1\"}\n"},
		{"line ends of others", "state: /s\r\nintake:\r\n  - name: a\r\n    mode: explicit\r\n    listen: 127.0.0.1:1\r\n"},
		{"octet order mark", "\ufeffstate: /s\nintake: [{name: a, mode: explicit, listen: 127.0.0.1:1}]\n"},
		{"document marks", "---\nstate: /s\nintake: [{name: a, mode: explicit, listen: 127.0.0.1:1}]\n...\n# end\n"},
		{"texts of several lines", "state: >-\n  /s\nintake:\n  - {name: a, mode:\n     explicit, listen: 127.0.0.1:1}\n"},
		{"no values", "state: /s\nleaf:\npolicy: ~\nclient: null\nintake: [{name: a, mode: explicit, listen: 127.0.0.1:1}]\n"},
		{"keys with a question mark", "? state\n: /s\n? intake\n: - {? name : a, mode: explicit, listen: 127.0.0.1:1}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("f", []byte(tt.text), ".")
			if err != nil {
				t.Fatal(err)
			}
			want := Intake{Name: "a", Mode: Explicit, Proxy: intake.Explicit{Listen: "127.0.0.1:1"}}
			if diff := cmp.Diff([]Intake{want}, c.Intakes, comparePlain); diff != "" || c.State != "/s" {
				t.Errorf("state %s, intakes (-want +got):\n%s", c.State, diff)
			}
		})
	}
}

func TestColonWithoutSpace(t *testing.T) {
	_, err := Parse("f", []byte("intake: [{name:a, mode: explicit, listen: 127.0.0.1:1}]"), ".")
	if err == nil || !strings.Contains(err.Error(), `1:11: unknown key "name:a": put a space after the colon`) {
		t.Error(err)
	}
}
