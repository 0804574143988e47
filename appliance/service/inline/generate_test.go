package inline

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is committed is what the sources of the programs give.
func TestGenerated(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"clang-14", "llvm-strip-14"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	if _, err := os.Stat("/usr/include/bpf/bpf_helpers.h"); err != nil {
		t.Skip("package libbpf-dev is missing")
	}
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(string(source), "//go:generate go ")
	if !found {
		t.Fatal("no go:generate line in doc.go")
	}
	command, _, _ = strings.Cut(command, "\n")
	args := strings.Fields(command)
	dir := t.TempDir()
	at := 2 // after "run" and the package
	args = append(args[:at:at], append([]string{"-output-dir", dir}, args[at:]...)...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOPACKAGE=inline")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"kernel_bpfel.go", "kernel_bpfel.o"} {
		committed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		made, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(committed, made) {
			t.Errorf("%s differs from what go generate gives", name)
		}
	}
}
