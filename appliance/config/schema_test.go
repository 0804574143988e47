package config

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// schema reads the generated JSON Schema of the file.
func schema(t *testing.T) any {
	t.Helper()
	text, err := os.ReadFile("../docs/reference/config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// against compares a value of a file with a schema and returns what is wrong. It knows
// the words of JSON Schema that the generated schema has. Quotes are not known here:
// a text of digits is a number, too.
func against(s any, p *piece, at string) (faults []string) {
	if s == false {
		return []string{at + " has no place here"}
	}
	rules := s.(map[string]any)
	fault := func(format string, args ...any) { faults = append(faults, at+": "+fmt.Sprintf(format, args...)) }
	number, err := strconv.ParseFloat(p.text, 64)
	isNumber := p.kind == scalar && err == nil
	for word, want := range rules {
		switch word {
		case "type":
			ok := map[any]bool{
				"object": p.kind == dict || p.kind == null, "array": p.kind == list, "string": p.kind == scalar,
				"boolean": p.text == "true" || p.text == "false", "integer": isNumber && number == float64(int64(number)),
			}
			if !ok[want] {
				return []string{fmt.Sprintf("%s: %q is no %s", at, p.text, want)}
			}
		case "enum":
			if !slices.ContainsFunc(want.([]any), func(v any) bool { return fmt.Sprint(v) == p.text }) {
				fault("%q is none of %v", p.text, want)
			}
		case "const":
			if want != p.text {
				fault("%q is not %v", p.text, want)
			}
		case "pattern":
			if !regexp.MustCompile(want.(string)).MatchString(p.text) {
				fault("%q does not match %s", p.text, want)
			}
		case "minimum", "maximum":
			if low := word == "minimum"; !isNumber || low && number < want.(float64) || !low && number > want.(float64) {
				fault("%q is beyond the %s %v", p.text, word, want)
			}
		case "minItems", "maxItems":
			if low := word == "minItems"; low && len(p.items) < int(want.(float64)) || !low && len(p.items) > int(want.(float64)) {
				fault("%d items", len(p.items))
			}
		case "items":
			for i, item := range p.items {
				faults = append(faults, against(want, item, fmt.Sprintf("%s[%d]", at, i))...)
			}
		case "properties":
			for i, value := range p.table {
				if property, ok := want.(map[string]any)[p.keys[i]]; ok {
					faults = append(faults, against(property, value, at+"."+p.keys[i])...)
				}
			}
		case "additionalProperties":
			known, _ := rules["properties"].(map[string]any)
			for i, value := range p.table {
				if _, ok := known[p.keys[i]]; !ok {
					faults = append(faults, against(want, value, at+"."+p.keys[i])...)
				}
			}
		case "required":
			for _, key := range want.([]any) {
				if !slices.Contains(p.keys, key.(string)) {
					fault("%s is missing", key)
				}
			}
		case "anyOf", "oneOf":
			met := 0
			var nearest []string
			for _, one := range want.([]any) {
				if f := against(one, p, at); len(f) == 0 {
					met++
				} else if nearest == nil || len(f) < len(nearest) {
					nearest = f
				}
			}
			if met == 0 || met > 1 && word == "oneOf" {
				faults = append(faults, nearest...)
				fault("%d of %s", met, word)
			}
		case "allOf":
			for _, one := range want.([]any) {
				rule := one.(map[string]any)
				if len(against(rule["if"], p, at)) == 0 {
					faults = append(faults, against(rule["then"], p, at)...)
				}
			}
		case "if", "then", "$schema", "title", "description", "default":
		default:
			fault("the test does not know %q", word)
		}
	}
	return faults
}

// TestSchemaTakesExamples: files that the reader takes conform to the schema.
func TestSchemaTakesExamples(t *testing.T) {
	s := schema(t)
	for _, file := range []string{"example.yaml", "testdata/full.yaml", "testdata/minimal.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root, _, err := parseTree(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range against(s, pieceOf(root), file) {
			t.Error(fault)
		}
	}
	probed(t, func(t *testing.T, k *Key, kind string) {
		for _, value := range []string{k.Default, k.DefaultOf[kind], k.Example, k.Min, k.Max} {
			if value == "" {
				continue
			}
			file := world(k.Path, kind)
			put(t, file, k, kind, value)
			root, _, err := parseTree([]byte(file.String()))
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range against(s, pieceOf(root), "") {
				t.Errorf("%s: %s", value, fault)
			}
		}
	})
}

// TestSchemaRefuses: the schema is not so wide that it takes everything.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	const intake = "intake: [{name: a, mode: explicit, listen: ':1'}]\n"
	for _, tt := range []struct{ name, file string }{
		{"unknown key", intake + "limit: {}"},
		{"unknown key of a list", "intake: [{name: a, mode: explicit, listen: ':1', listn: ':2'}]"},
		{"no intake", "state: /srv"},
		{"key of another mode", "intake: [{name: a, mode: explicit, listen: ':1', legs: [a, b]}]"},
		{"missing key of a mode", "intake: [{name: a, mode: static, listen: ':1'}]"},
		{"one leg", "intake: [{name: a, mode: wire, legs: [a]}]"},
		{"unknown word", intake + "policy: {default: decrypted}"},
		{"no duration", intake + "client: {idle_timeout: long}"},
		{"beyond a bound", intake + "limits: {sessions: 0}"},
		{"neither url nor urls", intake + "services: [{name: av, kind: icap}]"},
	} {
		root, _, err := parseTree([]byte(tt.file))
		if err != nil {
			t.Fatal(err)
		}
		if len(against(s, pieceOf(root), "")) == 0 {
			t.Errorf("%s: the schema takes %s", tt.name, tt.file)
		}
	}
}

// block is a line that begins an item, or sets a key, behind a comment sign.
var block = regexp.MustCompile(`^( *)# ( *- [a-z_]+: .*| +(?:- )?[a-z_{]+: .*| +- \{.*| *[a-z_]+:)$`)

// TestExampleShowsEveryKey: the annotated file has every key, some behind a comment
// sign; and its items behind comment signs conform to the schema.
func TestExampleShowsEveryKey(t *testing.T) {
	text, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		if name := k.Name(); name != "NAME" && name != "PORT" && !regexp.MustCompile(`(?m)(^|[ #{`+"`"+`])`+regexp.QuoteMeta(name)+`:`).Match(text) &&
			!strings.HasPrefix(k.Path, "origin.on_invalid.") {
			t.Errorf("example.yaml does not show %s", k.Path)
		}
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := block.FindStringSubmatch(line); m != nil {
			line = m[1] + m[2]
		}
		lines = append(lines, line)
	}
	root, at, err := parseTree([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatalf("line %d: %v: %s", at.line, err, lines[at.line-1])
	}
	whole := pieceOf(root)
	for _, fault := range against(schema(t), whole, "") {
		t.Error(fault)
	}
	if n := len(whole.table[slices.Index(whole.keys, "intake")].items); n != 7 {
		t.Errorf("%d intakes with those behind comment signs", n)
	}
}
