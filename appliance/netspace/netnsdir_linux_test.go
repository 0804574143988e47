package netspace

import (
	"os"
	"os/exec"
	"testing"

	"github.com/clearspan/clearspan/hack/netlab"
)

// On a machine where ip-netns(8) has made no name yet, it makes its first one after
// ours. Ours can be removed nevertheless. The test runs itself where /run is empty.
func TestBeforeIPNetns(t *testing.T) {
	if os.Getenv("CLEARSPAN_TEST_FRESH") == "" {
		netlab.ForTest(t) // for what it asks of the environment
		cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs none /run && exec "$0" -test.run '^TestBeforeIPNetns$'`, os.Args[0])
		cmd.Env = append(os.Environ(), "CLEARSPAN_TEST_FRESH=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	n, err := Make(unique("fresh"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ip", "netns", "add", unique("other")).CombinedOutput(); err != nil {
		t.Fatalf("ip netns add: %v\n%s", err, out)
	}
	n.Close()
	if err := Remove(unique("fresh")); err != nil {
		t.Error(err)
	}
	if out, err := exec.Command("ip", "netns", "delete", unique("other")).CombinedOutput(); err != nil {
		t.Errorf("ip netns delete: %v\n%s", err, out)
	}
}
