package netlab

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// A lab whose names are older than the first of ip-netns(8) leaves nothing. The test
// runs itself where /run is empty.
func TestBeforeIPNetns(t *testing.T) {
	lab := ForTest(t)
	if os.Getenv("CLEARSPAN_TEST_FRESH") == "" {
		cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs none /run && exec "$0" -test.run '^TestBeforeIPNetns$'`, os.Args[0])
		cmd.Env = append(os.Environ(), "CLEARSPAN_TEST_FRESH=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if _, err := lab.Namespace("a"); err != nil {
		t.Fatal(err)
	}
	other := fmt.Sprintf("cstestother-%d", os.Getpid())
	for _, what := range []string{"add", "delete"} {
		if out, err := exec.Command("ip", "netns", what, other).CombinedOutput(); err != nil {
			t.Fatalf("ip netns %s: %v\n%s", what, err, out)
		}
	}
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
}
