package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/mirror"
)

// sheet is a table of a file that is built for a test: values are texts, sheets and
// lists of sheets.
type sheet struct {
	keys   []string
	values map[string]any
}

func (s *sheet) set(key string, value any) {
	if s.values == nil {
		s.values = make(map[string]any)
	}
	if _, ok := s.values[key]; !ok {
		s.keys = append(s.keys, key)
	}
	s.values[key] = value
}

func (s *sheet) remove(key string) {
	s.keys = slices.DeleteFunc(s.keys, func(k string) bool { return k == key })
	delete(s.values, key)
}

// String returns the table in the flow style of YAML.
func (s *sheet) String() string {
	var b strings.Builder
	for i, key := range s.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(key + ": ")
		switch v := s.values[key].(type) {
		case []*sheet:
			items := make([]string, len(v))
			for i, item := range v {
				items[i] = item.String()
			}
			b.WriteString("[" + strings.Join(items, ", ") + "]")
		default:
			fmt.Fprint(&b, v)
		}
	}
	return "{" + b.String() + "}"
}

// everyKey holds [Keys], which copies them: much for the race detector.
var everyKey = Keys()

// kinds returns the words by which tables of a list differ, such as the modes of
// intakes. section is the first part of a path.
func kinds(section string) []string {
	for i := range everyKey {
		k := &everyKey[i]
		if k.Path == section+".mode" && section == "intake[]" || k.Path == section+".kind" {
			words := make([]string, len(k.Words))
			for i, w := range k.Words {
				words[i] = w.Word
			}
			return words
		}
	}
	return nil
}

func section(path string) string {
	first, _, _ := strings.Cut(path, ".")
	return first
}

// example returns a value for the key. Listeners get ports of their own.
func example(k *Key, listener *int) string {
	if k.Type == TypeListen {
		*listener++
		return "127.0.0.1:" + strconv.Itoa(20000+*listener)
	}
	return k.Example
}

// whole builds a file with all kinds of intakes, mirrors and services, and nothing in
// them but required keys.
func whole() *sheet { return world("", "") }

// world builds what of that a key needs which applies to a mode or kind: only an
// intake, and an item of that kind in the key's list. The empty path needs all.
func world(path, kind string) *sheet {
	listener := 0
	root := &sheet{}
	root.set("state", "/srv/clearspan")
	all := path == "" || section(path) == "policy" || strings.HasPrefix(path, "admin.ready") || path == "origin.client_certificate_lists"
	for _, list := range []string{"intake", "mirror", "services"} {
		var items []*sheet
		of := kinds(list + "[]")
		switch {
		case all:
		case section(path) == list+"[]":
			of = []string{kind}
		case list == "intake":
			of = of[:1]
		default:
			continue
		}
		for _, kind := range of {
			item := &sheet{}
			for i := range everyKey {
				k := &everyKey[i]
				if k.Table() != list+"[]" || !k.Required || !k.Applies(kind) {
					continue
				}
				switch k.Name() {
				case "name", "mode", "kind":
					item.set(k.Name(), kind)
				default:
					item.set(k.Name(), example(k, &listener))
				}
			}
			items = append(items, item)
		}
		root.set(list, items)
	}
	if all || section(path) == "recorder" {
		source, r := &sheet{}, &sheet{}
		source.set("name", "own")
		source.set("kind", "engine")
		r.set("source", []*sheet{source})
		if all {
			found, rule := &sheet{}, &sheet{}
			rule.set("name", "numbers")
			found.set("rules", []*sheet{rule})
			pattern := &sheet{}
			pattern.set("name", "part-number")
			pattern.set("pattern", "'PX-[0-9]'")
			found.set("patterns", []*sheet{pattern})
			r.set("inspect", found)
		}
		root.set("recorder", r)
	}
	if !all {
		return root
	}
	p, rule := &sheet{}, &sheet{}
	p.set("lists", "{finance: {file: finance.txt}}")
	for i := range everyKey {
		k := &everyKey[i]
		if k.Table() == "policy.rules[]" && k.Required {
			rule.set(k.Name(), k.Example)
		}
	}
	p.set("rules", []*sheet{rule})
	root.set("policy", p)
	return root
}

// holder returns the table of root that holds the key, made if it is absent.
func holder(root *sheet, k *Key, kind string) *sheet {
	at := root
	parts := strings.Split(k.Path, ".")
	for _, part := range parts[:len(parts)-1] {
		key, isList := strings.CutSuffix(part, "[]")
		if key == "NAME" {
			key = "finance"
		}
		next := &sheet{}
		switch v := at.values[key].(type) {
		case *sheet:
			next = v
		case []*sheet:
			next = v[max(0, slices.IndexFunc(v, func(s *sheet) bool { return s.values["name"] == kind }))]
		default:
			if isList {
				at.set(key, []*sheet{next})
			} else {
				at.set(key, next)
			}
		}
		at = next
	}
	return at
}

// put gives the key a value, and what else it needs.
func put(t *testing.T, root *sheet, k *Key, kind, value string) {
	t.Helper()
	at, name := holder(root, k, kind), k.Name()
	if k.Instead != "" {
		at.remove(k.Instead)
	}
	if k.Beside != "" {
		i := slices.IndexFunc(everyKey, func(o Key) bool { return o.Path == k.Beside })
		if i < 0 {
			t.Fatalf("%s is beside %s, which is no key", k.Path, k.Beside)
		}
		beside := &everyKey[i]
		holder(root, beside, kind).set(beside.Name(), beside.Example)
	}
	switch name {
	case "NAME":
		name = "finance"
	case "PORT":
		name = "465"
	}
	at.set(name, value)
}

func parseSheet(root *sheet) (*Config, error) {
	return Parse("test.yaml", []byte(root.String()), "testdata")
}

// probed calls f for each key that can be probed alone, for each mode or kind.
func probed(t *testing.T, f func(t *testing.T, k *Key, kind string)) {
	keys := Keys()
	for i := range keys {
		k := &keys[i]
		if k.Type == TypeTable || k.Type == TypeTables && k.Example == "" {
			continue
		}
		if table := k.Table(); strings.HasSuffix(table, "hops[]") || strings.HasSuffix(table, "certificates[]") || strings.HasSuffix(table, "outputs[]") || strings.HasSuffix(table, "source[]") || strings.HasSuffix(table, "alert[]") || strings.HasPrefix(table, "recorder.inspect.rules[]") || strings.HasSuffix(table, "patterns[]") || strings.HasPrefix(k.Path, "policy.lists") {
			continue // as a whole
		}
		of := kinds(section(k.Path))
		if of == nil {
			of = []string{""}
		}
		for _, kind := range of {
			if k.Applies(kind) && applies(keys, k.Table(), kind) {
				t.Run(strings.TrimSpace(k.Path+" "+kind), func(t *testing.T) { f(t, k, kind) })
			}
		}
	}
}

// applies reports whether tables of that mode or kind have the table.
func applies(keys []Key, table, kind string) bool {
	for i := range keys {
		if k := &keys[i]; k.Path == table && k.Type == TypeTable && !k.Applies(kind) {
			return false
		}
	}
	return true
}

// names notes under which key each table of p stands, by its place.
func names(p *piece, key string, at map[place]string) {
	if p.kind == dict {
		at[p.at] = key
	}
	for _, item := range p.items {
		names(item, key, at)
	}
	for i, value := range p.table {
		names(value, p.keys[i], at)
	}
}

// TestKeysAreThoseOfTheReader: the reader knows the keys that are described, and no
// others.
func TestKeysAreThoseOfTheReader(t *testing.T) {
	read := make(map[string]map[string]bool)
	note := func(table, key string) {
		if read[table] == nil {
			read[table] = make(map[string]bool)
		}
		read[table][key] = true
	}
	root := whole() // with all tables
	for _, k := range Keys() {
		switch {
		case k.Path == "services[].hops" || k.Path == "intake[].certificates" || k.Path == "audit.outputs" || k.Path == "recorder.alert" || k.Path == "policy.rules[].time[].from":
			put(t, root, &k, k.kind(), k.Example)
		case k.Type == TypeTable && k.Name() != "NAME":
			if at := holder(root, &k, k.kind()); at.values[k.Name()] == nil {
				at.set(k.Name(), &sheet{})
			}
		}
	}
	tree, _, err := parseTree([]byte("\n" + root.String())) // absent tables stand in line 1
	if err != nil {
		t.Fatal(err)
	}
	at := make(map[place]string)
	names(pieceOf(tree), "configuration", at)
	r := &reader{file: "test.yaml", dir: "testdata", lines: make(map[string]int), closed: func(table place, known []string) {
		for _, key := range known {
			if name := at[table]; name != "" {
				note(name, key)
			}
		}
	}}
	r.config(tree, "/srv/clearspan")
	if len(r.errs) > 0 {
		t.Fatal(r.errs)
	}
	for e := policy.Event(0); e.String() != "unknown"; e++ {
		note("events", e.String())
	}
	note("lists", "NAME")
	note("finance", "file")
	note("ports", "PORT")
	note("when", "NAME")
	note("or", "NAME")
	note("dictionaries", "NAME")
	note("registered", "NAME")

	described := make(map[string]map[string]bool)
	for _, k := range Keys() {
		table := k.Table()
		table = strings.TrimSuffix(table[strings.LastIndexByte(table, '.')+1:], "[]")
		switch table {
		case "":
			table = "configuration"
		case "NAME":
			table = "finance"
		}
		if described[table] == nil {
			described[table] = make(map[string]bool)
		}
		described[table][k.Name()] = true
	}
	if diff := cmp.Diff(read, described); diff != "" {
		t.Errorf("keys (-reader +described):\n%s", diff)
	}
}

// kind returns a mode or kind that has the key, "" if all have.
func (k *Key) kind() string {
	if len(k.Of) > 0 {
		return k.Of[0]
	}
	return ""
}

// TestKeyDefaults: a file that has the default written out is the same configuration
// as one without the key, and the example is another.
func TestKeyDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/operator")
	probed(t, func(t *testing.T, k *Key, kind string) {
		base, err := parseSheet(world(k.Path, kind))
		if err != nil {
			t.Fatal(err)
		}
		def := k.Default
		if d, ok := k.DefaultOf[kind]; ok {
			def = d
		}
		if (def == "") == (k.Absent == "") != k.Required {
			t.Errorf("default %q, absent %q, required %t: want one of them", def, k.Absent, k.Required)
		}
		if def != "" {
			root := world(k.Path, kind)
			put(t, root, k, kind, def)
			if k.Beside != "" { // what it needs is no default
				base, _ = parseSheet(without(t, k, kind, def))
			}
			got, err := parseSheet(root)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(normal(base), normal(got), comparePlain); diff != "" {
				t.Errorf("with the default written out (-without +with):\n%s", diff)
			}
		}
		if k.Example == "" || k.Required {
			return
		}
		root := world(k.Path, kind)
		put(t, root, k, kind, k.Example)
		got, err := parseSheet(root)
		if err != nil {
			t.Fatalf("example: %v", err)
		}
		if cmp.Equal(normal(base), normal(got), comparePlain) {
			t.Errorf("the example %s is the default", k.Example)
		}
	})
}

// normal gives values that mean the same one form.
func normal(c *Config) *Config {
	n := *c
	if n.Policy.Treatment.Mirrors == nil {
		n.Policy.Treatment.Mirrors = &policy.Mirrors{All: true}
	}
	if n.Policy.Treatment.Services == nil {
		n.Policy.Treatment.Services = []string{}
	}
	return &n
}

// without returns the file without the key.
func without(t *testing.T, k *Key, kind, value string) *sheet {
	root := world(k.Path, kind)
	put(t, root, k, kind, value)
	holder(root, k, kind).remove(k.Name())
	return root
}

// TestKeyWords: the reader takes the words that are described, and names the same
// ones when it refuses another.
func TestKeyWords(t *testing.T) {
	probed(t, func(t *testing.T, k *Key, kind string) {
		var words []string
		for _, w := range k.Words {
			words = append(words, w.Word)
			value := w.Word
			if k.Name() == "mode" && section(k.Path) == "intake[]" || k.Name() == "kind" || kind == string(PCAPOverIP) && value == string(mirror.Block) || kind != string(Interface) && value == Other {
				continue // another kind has other keys
			}
			root := world(k.Path, kind)
			put(t, root, k, kind, value)
			if k.Name() == "action" && value != policy.Bump.String() {
				holder(root, k, kind).remove("services")
			}
			if _, err := parseSheet(root); err != nil {
				t.Errorf("%s: %v", value, err)
			}
		}
		for _, word := range k.Synonyms {
			root := world(k.Path, kind)
			put(t, root, k, kind, word)
			if _, err := parseSheet(root); err != nil {
				t.Errorf("%s: %v", word, err)
			}
		}
		if k.Type != TypeWord {
			return
		}
		root := world(k.Path, kind)
		put(t, root, k, kind, "nonsense")
		_, err := parseSheet(root)
		if err == nil {
			t.Fatal("nonsense was accepted")
		}
		_, list, ok := strings.Cut(err.Error(), ", want ")
		switch list, _, _ = strings.Cut(list, "\n"); {
		case k.Name() == "own-authority" || k.Name() == "ports": // in words
		case !ok:
			t.Errorf("error %q does not tell the words", err)
		default:
			got := strings.FieldsFunc(strings.ReplaceAll(list, " or ", ","), func(c rune) bool { return c == ',' || c == ' ' })
			want := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
				return k.Name() == "sni-unresolved" && w == "off" || kind == string(PCAPOverIP) && w == string(mirror.Block) || kind != string(Interface) && w == Other
			})
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("words (-described +reader):\n%s", diff)
			}
		}
	})
}

// TestKeysAreDescribed: every key has a description and a type that says what it
// takes.
func TestKeysAreDescribed(t *testing.T) {
	seen := make(map[string]bool)
	tables := make(map[string]bool)
	for _, k := range Keys() {
		id := k.Path + " " + strings.Join(k.Of, " ")
		if seen[id] {
			t.Errorf("%s is described twice", id)
		}
		seen[id] = true
		if k.Type == TypeTable || k.Type == TypeTables {
			tables[strings.TrimSuffix(k.Path, "[]")] = true
		}
		if table := strings.TrimSuffix(k.Table(), "[]"); table != "" && !tables[table] && !strings.HasSuffix(k.Path, "PORT") && !strings.Contains(k.Path, "time[]") {
			t.Errorf("%s comes before its table", k.Path)
		}
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: description %q is no sentence", k.Path, k.Doc)
		}
		if k.Type == TypeWord && len(k.Words) == 0 {
			t.Errorf("%s takes words, and none is described", k.Path)
		}
	}
	if n := len(slices.Collect(maps.Keys(seen))); n < 150 {
		t.Errorf("only %d keys", n)
	}
}
