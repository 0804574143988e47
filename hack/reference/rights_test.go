package reference

import (
	"strings"
	"testing"

	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/privilege/rights"
)

func TestReferenceOfRights(t *testing.T) {
	var p Page
	var roles, grants [][]string
	for _, r := range rights.Roles() {
		capabilities := "see the table below"
		switch {
		case r.Unbounded:
			capabilities = "those of the start"
		case len(r.Grants) == 0:
			capabilities = "none"
		}
		roles = append(roles, []string{r.Name, r.Reads, r.User, r.Files, r.Calls, capabilities})
		for _, g := range r.Grants {
			var may []string
			if g.Namespaces {
				may = append(may, "enter network namespaces")
			}
			if g.Programs {
				may = append(may, "use eBPF")
			}
			grants = append(grants, []string{r.Name, g.Of, Code(kept(g.Keep)), strings.Join(may, ", "), Codes(g.Writes)})
		}
		if len(r.Grants) > 0 {
			grants = append(grants,
				[]string{r.Name, "files that its user may not open", Code(kept([]cap.Value{cap.DAC_OVERRIDE})), "", ""},
				[]string{r.Name, "nothing of these", "none", "", ""})
		}
	}
	p.Table([]string{"process", "reads of strangers", "user", "files", "system calls", "capabilities"}, roles)
	p.Table([]string{"process", "configured", "capabilities that stay", "may also", "may also write"}, grants)
	p.b.WriteByte('\n')
	p.HoldPart(t, "appliance/docs/security.md", "rights of processes")
}

// kept are capabilities as the log has them.
func kept(list []cap.Value) string { return (&privilege.Left{Keep: list}).Capabilities() }
