package reference

import (
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/config"
)

func TestReferenceOfDoors(t *testing.T) {
	keys := config.Keys()
	var p Page
	var rows [][]string
	for _, d := range config.Doors() {
		if !slices.ContainsFunc(keys, func(k config.Key) bool { return isDoor(&d, &k) }) {
			t.Errorf("there is no key %s of %q", d.Key, d.Of)
		}
		if strings.HasSuffix(d.Passes, ".") || !strings.HasSuffix(d.Shut, ".") {
			t.Errorf("%s: the line has no full stop, and the way to close it has one", d.Key)
		}
		key := Code(d.Key)
		if d.Of != nil {
			key += " of " + Codes(d.Of)
		}
		open := d.Open
		if !strings.HasPrefix(open, "a ") && !strings.HasPrefix(open, "one ") {
			open = Code(open)
		}
		byDefault := ""
		if d.ByDefault() {
			byDefault = "yes"
		}
		rows = append(rows, []string{sentence(d.Passes), key, open, byDefault, d.Shut})
	}
	p.Table([]string{"what passes", "key", "opens it", "open by default", "to close it"}, rows)
	p.b.WriteByte('\n')
	p.HoldPart(t, "appliance/docs/limits.md", "ways past the inspection")
}

// isDoor reports whether a key is that of a door. A door of many keys has a name in
// capitals in its path.
func isDoor(d *config.Door, k *config.Key) bool {
	below, many := strings.CutSuffix(d.Key, ".REASON")
	if many && strings.HasPrefix(k.Path, below+".") {
		return true
	}
	return k.Path == d.Key && (d.Of == nil || slices.Equal(d.Of, k.Of))
}

// sentence makes a sentence of a line.
func sentence(line string) string { return strings.ToUpper(line[:1]) + line[1:] + "." }
