package reference

import (
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/config"
)

// part is a section of the page: the keys below a path, with the path of another part
// left out.
type part struct {
	title, path, except string
	kind                string // the key by which tables of the part differ; "": none
}

var parts = []part{
	{"Base", "base", "", ""},
	{"File", "state", "", ""},
	{"User", "user", "", ""},
	{"Draining", "drain", "", ""},
	{"Intakes", "intake", "", "mode"},
	{"Authority", "authority", "", ""},
	{"Forged certificates", "leaf", "", ""},
	{"Clients", "client", "", ""},
	{"Origins", "origin", "", ""},
	{"Policy", "policy", "policy.rules[]", ""},
	{"Rules", "policy.rules[]", "", ""},
	{"Answers to blocked sessions", "block", "", ""},
	{"Mirrors", "mirror", "", "kind"},
	{"Services", "services", "", "kind"},
	{"Recorder", "recorder", "", "kind"},
	{"Audit log", "audit", "", ""},
	{"Administration", "admin", "", ""},
	{"Limits", "limits", "", ""},
}

func below(path, top string) bool {
	return path == top || strings.HasPrefix(path, top+".") || strings.HasPrefix(path, top+"[")
}

func configPage() *Page {
	p := NewPage("Configuration keys",
		"This page lists every key of the YAML configuration file. The annotated file [example.yaml](../../config/example.yaml) shows them in context. [config.schema.json](config.schema.json) is a JSON Schema for editors. `clearspan check -c FILE` checks a file.",
		"How to read the tables:")
	p.List(
		"`[]` stands behind a list of tables. NAME and PORT stand for a name or a port of your choice.",
		"Durations are numbers with units, such as `100ms`, `30s`, `10m` and `24h`.",
		"Sizes are octets, or numbers with the unit `KiB`, `MiB`, `GiB` or `TiB`.",
		"Ports are numbers or ranges such as `\"8000-8100\"`.",
		"A network is an address or a prefix such as `10.0.0.0/8`.",
		"A name has 1 to 63 characters out of a-z, 0-9 and `-`.",
		"A single value stands for a list of one. An empty list is an error unless the table allows it.",
		"Actions have synonyms from other products: `decrypt` for `bump`, `splice` and `bypass` for `tunnel`.",
		"Relative paths start at the directory of the configuration file. Paths of files that clearspan writes start at STATE, the directory of the key `state`.",
	)
	keys := config.Keys()
	for _, part := range parts {
		p.Section(part.title)
		var rows, words [][]string
		for i := range keys {
			k := &keys[i]
			if !below(k.Path, part.path) || part.except != "" && k.Path != "policy.rules" && below(k.Path, part.except) {
				continue
			}
			if k.Path == part.path && (k.Type == config.TypeTable || k.Type == config.TypeTables) {
				text := "`" + k.Path + "`: " + k.Doc
				p.Text(text)
				continue
			}
			only := ""
			if k.Of != nil {
				only = Codes(k.Of)
			}
			rows = append(rows, []string{Code(k.Path), k.Takes(), k.Otherwise(), only, k.Doc})
			for _, w := range k.Words {
				if w.Doc != "" {
					words = append(words, []string{Code(k.Path), Code(w.Word), w.Doc})
				}
			}
		}
		p.Table([]string{"key", "value", "default", "only for " + part.kind, "meaning"}, rows)
		if len(words) > 0 {
			p.Text("Values:")
			p.Table([]string{"key", "value", "meaning"}, once(words))
		}
	}
	return p
}

// once leaves out rows that say the same of another key, which is named in the first.
func once(rows [][]string) (out [][]string) {
	for _, row := range rows {
		i := slices.IndexFunc(out, func(o []string) bool { return o[1] == row[1] && o[2] == row[2] })
		if i < 0 {
			out = append(out, row)
		} else {
			out[i][0] += ", " + row[0]
		}
	}
	return out
}

func TestReferenceOfConfiguration(t *testing.T) {
	for _, k := range config.Keys() {
		if !slices.ContainsFunc(parts, func(p part) bool { return below(k.Path, p.path) }) {
			t.Errorf("%s is in no part of the page", k.Path)
		}
	}
	configPage().Hold(t, "config.md")
}
