package conformance_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/mirror/conformance"
)

// TestReadme: mirror/README.md has the table of rules as the code has them.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	table := "| rule | kept when | |\n|---|---|---|\n"
	for _, rule := range conformance.Rules() {
		kind := "defect"
		if rule.Kind() == conformance.Note {
			kind = "note"
		}
		table += fmt.Sprintf("| `%s` | %s | %s |\n", rule, rule.Title(), kind)
	}
	if !strings.Contains(string(readme), "\n"+table+"\n") {
		t.Errorf("mirror/README.md lacks this table:\n%s", table)
	}
}
