package mirrortest

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Tool runs an external reader such as tshark or tcpflow in directory dir (""
// for the current one) and returns its standard output. The test fails if the
// tool does. Where the tool is not installed the test is skipped, or fails if
// CI is set.
func Tool(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("find %s: %v", name, err)
		}
		t.Skipf("find %s: %v", name, err)
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), path, args...)
	command.Dir, command.Stdout, command.Stderr = dir, &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("run %s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return stdout.String()
}

// TsharkComplaints returns a line for each frame of a capture to which tshark,
// with checksum verification on, objects: bad sums, TCP analysis flags and
// malformed packets.
func TsharkComplaints(t testing.TB, path string) []string {
	t.Helper()
	out := Tool(t, "", "tshark", "-n", "-r", path,
		"-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
		"-Y", "tcp.analysis.flags || _ws.malformed || tcp.checksum.status == Bad || ip.checksum.status == Bad",
		"-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message", "-e", "_ws.col.Info")
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
}
