package lab

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPackages(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range Packages {
		if seen[p.Name] {
			t.Errorf("%s is listed twice", p.Name)
		}
		seen[p.Name] = true
		if !slices.Contains([]string{"demo", "record", "test", "bench"}, p.For) {
			t.Errorf("%s: purpose %q", p.Name, p.For)
		}
		if !slices.Contains([]string{"", "unpack", "backports"}, p.Way) {
			t.Errorf("%s: way %q", p.Name, p.Way)
		}
		if p.Way == "unpack" && !strings.HasPrefix(p.Program, "/var/lib/clearspan-lab/"+p.Name+"/") {
			t.Errorf("%s is unpacked, and its program is %q", p.Name, p.Program)
		}
	}
	for purpose, program := range map[string]string{"demo": "nginx-light", "record": "samba", "test": "exim4-daemon-light", "bench": "haproxy"} {
		if !seen[program] {
			t.Errorf("%s is not listed for %s: the parser is broken", program, purpose)
		}
	}
}

// TestScriptReadsList: the script takes the same packages for a purpose as the lab.
func TestScriptReadsList(t *testing.T) {
	for _, purpose := range []string{"demo", "record", "test", "bench"} {
		var want []string
		for _, p := range Packages {
			if p.wantedFor(purpose) {
				want = append(want, p.Name)
			}
		}
		out, err := exec.Command("../packages.sh", "--list", purpose).Output()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(string(out))
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-Packages +packages.sh):\n%s", purpose, diff)
		}
	}
	if err := exec.Command("../packages.sh", "nonsense").Run(); err == nil {
		t.Error("the script accepts any purpose")
	}
}
