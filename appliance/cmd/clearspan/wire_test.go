package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/intake/wire"
)

// TestShowWire has no wire on the machine: those need root.
func TestShowWire(t *testing.T) {
	const head = "w  lan0 -- wan0  takeover late, down %s, link each\n  attached  true\n  state     %s\n  flows     2\n"
	for _, row := range []struct {
		name   string
		status wire.Status
		json   bool
		want   string
	}{
		{"running", wire.Status{Running: true, Taking: true, Down: "wire", Paths: map[string]uint64{"diverted": 7, "accepted": 123, "tag": 0}}, false,
			strings.NewReplacer("down %s", "down wire", "%s", "taking connections").Replace(head) + "  accepted         123\n  diverted         7\n"},
		{"stalled", wire.Status{Running: true, Down: "wire"}, false,
			strings.NewReplacer("down %s", "down wire", "%s", "process runs, does not take connections now").Replace(head)},
		{"passes", wire.Status{Down: "wire"}, false,
			strings.NewReplacer("down %s", "down wire", "%s", "no process: selected connections pass").Replace(head)},
		{"blocks", wire.Status{Down: "block"}, false,
			strings.NewReplacer("down %s", "down block", "%s", "no process: selected connections are blocked").Replace(head)},
		{"a leg is down", wire.Status{Running: true, Down: "wire", DownLeg: "wan0"}, false,
			strings.NewReplacer("down %s", "down wire", "%s", "process runs, does not take connections now").Replace(head) + "  link      wan0 is down, because lan0 has no carrier\n"},
		{"a leg is down still", wire.Status{Down: "wire", DownLeg: "lan0"}, false,
			strings.NewReplacer("down %s", "down wire", "%s", "no process: selected connections pass").Replace(head) + "  link      lan0 is down until the next start: wan0 had no carrier\n"},
		{"JSON", wire.Status{Down: "wire"}, true,
			`{"Name":"w","Legs":["lan0","wan0"],"Takeover":"late","Down":"wire","Link":"each","Held":"","Attached":true,"Running":false,"Taking":false,"Flows":2,"Paths":null}` + "\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := row.status
			s.Name, s.Legs, s.Takeover, s.Link, s.Attached, s.Flows = "w", [2]string{"lan0", "wan0"}, "late", "each", true, 2
			var out strings.Builder
			if err := showWire(&out, &s, row.json); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
