package lab

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPackagesMatchScript(t *testing.T) {
	for _, purpose := range []string{"demo", "test", "bench"} {
		var want []string
		for _, p := range Packages {
			if p.For == purpose || purpose == "test" && p.For == "demo" {
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
