package rowstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// circumstances are members of lines that no two runs share.
var circumstances = []string{"time", "session", "id", "event_id", "client", "server"}

// Facts returns what lines of JSON say, as `clearspan recorder import --json` prints them,
// without times, identifiers and addresses. They are sorted.
func Facts(lines []byte) (list []string, err error) {
	for line := range bytes.Lines(lines) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("%w in %s", err, line)
		}
		for _, key := range circumstances {
			delete(m, key)
		}
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(m); err != nil {
			return nil, err
		}
		list = append(list, strings.TrimSuffix(b.String(), "\n"))
	}
	slices.Sort(list)
	return list, nil
}

// Golden is what a recorder has to say of each row, by the row's name, as [Facts] returns it.
type Golden map[string][]string

// ReadGolden reads a file that [Golden.Write] has written.
func ReadGolden(file string) (Golden, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	g := make(Golden)
	name := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if row, ok := strings.CutPrefix(line, "# "); ok {
			name = row
			g[name] = nil
			continue
		}
		g[name] = append(g[name], line)
	}
	return g, nil
}

// Write writes a file: behind each row's name come its lines.
func (g Golden) Write(file string) error {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(g)) {
		b.WriteString("# " + name + "\n")
		for _, line := range g[name] {
			b.WriteString(line + "\n")
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// Of returns what a recorder has to say of rows, sorted.
func (g Golden) Of(rows []Row) (list []string, err error) {
	for _, row := range rows {
		lines, ok := g[row.Name]
		if !ok {
			return nil, fmt.Errorf("nothing is written of row %q", row.Name)
		}
		list = append(list, lines...)
	}
	slices.Sort(list)
	return list, nil
}

// Differences tells which lines are missing, and which are too many. It returns "" if there
// are none.
func Differences(got, want []string) string {
	count := make(map[string]int)
	for _, line := range want {
		count[line]++
	}
	for _, line := range got {
		count[line]--
	}
	var b strings.Builder
	for _, line := range slices.Sorted(maps.Keys(count)) {
		switch n := count[line]; {
		case n > 0:
			fmt.Fprintf(&b, "missing, %d times: %s\n", n, line)
		case n < 0:
			fmt.Fprintf(&b, "not expected, %d times: %s\n", -n, line)
		}
	}
	return b.String()
}
