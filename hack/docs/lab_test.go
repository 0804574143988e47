package docs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
)

// TestGettingStartedLab does what the lab of getting-started.md says, in a network
// namespace in place of the machine's own. Blocks of the lab begin with the comment
// "# lab: STEP".
func TestGettingStartedLab(t *testing.T) {
	if testing.Short() {
		t.Skip("runs programs in network namespaces")
	}
	text, err := os.ReadFile(filepath.Join(root, "appliance", "docs", "getting-started.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script, yaml string
	steps := 0
	for _, b := range Parse("getting-started.md", string(text)).Blocks {
		switch {
		case strings.HasPrefix(b.Text, "# lab: "):
			script += b.Text
			steps++
		case strings.HasPrefix(b.Text, "# clearspan.yaml\n"):
			yaml = b.Text
		}
	}
	if steps != 6 || yaml == "" {
		t.Fatalf("found %d steps of the lab, configuration:\n%s", steps, yaml)
	}
	// Names of namespaces and wires are the machine's.
	own := func(s string) string {
		return regexp.MustCompile(`\blab\b`).ReplaceAllString(s, fmt.Sprintf("l%x", os.Getpid()%0xffff))
	}

	network := netlab.ForTest(t)
	for _, program := range []string{"bash", "openssl", "curl", "tshark"} {
		if _, err := exec.LookPath(program); err != nil {
			needs.Missing(t, err)
		}
	}
	machine, err := network.Namespace("machine")
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.DependOnSources(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := lab.Compile(filepath.Join(dir, "clearspan"), false); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "clearspan.yaml"), []byte(own(yaml)), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	run := func(script string) (string, error) {
		cmd := machine.Command(ctx, "bash", "-eu", "-c", own(script))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run(script)
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "clearspan.log"))
		t.Errorf("%v\n%s\n%s", err, out, log)
		run("kill -9 $(cat state/clearspan.pid); clearspan wire remove lab; ip netns del lab-client; ip netns del lab-origin") // as far as it got
		return
	}
	rest := out
	for _, want := range []string{"taking connections", "Hello from the origin.", "GET /hello.txt HTTP/1.1", "200 ok", "Hello from the origin.", "no process: selected connections pass"} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is missing, or not in its place, in\n%s", want, out)
		}
		rest = after
	}
}
