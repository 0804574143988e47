package man

import (
	"fmt"
	"strings"

	"github.com/clearspan/clearspan/appliance/config"
)

// Configuration returns the page of the configuration file, with every key.
func Configuration(s Source) Page {
	r := begin(s, "clearspan.yaml", 5, "configuration file of clearspan")
	r.heading("DESCRIPTION")
	for _, text := range []string{
		"The file is YAML. A key that is not in this page is an error. `clearspan check -c FILE` finds all errors of a file, each with its line and column. The packaged service reads `/etc/clearspan/clearspan.yaml`.",
		"`[]` stands behind a list of tables. NAME and PORT stand for a name or a port of your choice. A single value stands for a list of one.",
		"Durations are numbers with units, such as `100ms`, `30s` and `24h`. Sizes are octets, or numbers with the unit `KiB`, `MiB`, `GiB` or `TiB`.",
		"Relative paths start at the directory of the configuration file. Paths of files that clearspan writes start at STATE, the directory of the key `state`.",
	} {
		r.paragraph(text)
	}
	section := ""
	for _, k := range config.Keys() {
		if top := first(k.Path); top != section {
			section = top
			r.heading("KEYS: " + section)
		}
		r.item(k.Path, meaning(&k)...)
	}
	r.heading("FILES")
	r.item("/etc/clearspan/clearspan.yaml", "The file of the packaged service.")
	r.item("/var/lib/clearspan", "STATE of the packaged service.")
	r.heading("SEE ALSO")
	r.paragraph("clearspan(1), clearspan-check(1), clearspan-run(1), clearspan-reload(1)")
	return Page{"clearspan.yaml", 5, r.String()}
}

// first is the section of a key.
func first(path string) string {
	name, _, _ := strings.Cut(path, ".")
	return strings.TrimSuffix(name, "[]")
}

// meaning are the lines about a key.
func meaning(k *config.Key) []string {
	lines := []string{k.Doc}
	takes := "Value: " + k.Takes() + "."
	if otherwise := k.Otherwise(); otherwise == "required" {
		takes += " Required."
	} else if otherwise != "" {
		takes += " Default: " + strings.TrimSuffix(otherwise, ".") + "."
	}
	lines = append(lines, takes)
	if k.Of != nil {
		lines = append(lines, fmt.Sprintf("Only for `%s`.", strings.Join(k.Of, "`, `")))
	}
	for _, w := range k.Words {
		if w.Doc != "" {
			lines = append(lines, fmt.Sprintf("`%s`: %s", w.Word, w.Doc))
		}
	}
	return lines
}
