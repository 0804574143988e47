package feed

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

func TestKeyLog(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	path := filepath.Join(t.TempDir(), "keys")
	plain, _ := recording("plain", decrypt.Decrypted)
	if k, err := openKeyLog([]*sink{plain}, path, log); k != nil || err != nil {
		t.Fatalf("without a sink that keeps secrets: %v, %v", k, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was made all the same")
	}
	keeper, _ := recording("keeper", decrypt.Decrypted)
	var kept string
	keeper.secrets = func(line []byte) error { kept += string(line); return errors.New("full") }
	k, err := openKeyLog([]*sink{plain, keeper}, path, log)
	if err != nil {
		t.Fatal(err)
	}
	hidden := session(decrypt.Bumped)
	hidden.Decision.Treatment = &policy.Treatment{Mirrors: &policy.Mirrors{Names: []string{"plain"}}}
	if w := k.writer(hidden); w != nil {
		t.Error("secrets of a session that its rule keeps from the mirror")
	}
	if n, err := k.writer(session(decrypt.Bumped)).Write([]byte("line\n")); n != 5 || err != nil {
		t.Errorf("Write = %d, %v: a session would end", n, err)
	}
	if err := k.close(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "line\n" || kept != "line\n" {
		t.Errorf("file has %q, sink %q, %v", text, kept, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if k, err := openKeyLog([]*sink{keeper}, path, log); err == nil {
		k.close()
		t.Error("a file that others may read is taken")
	}
}

// A pipe that nobody reads holds up no session.
func TestKeyLogFileThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	keeper, _ := recording("keeper", decrypt.Decrypted)
	keeper.secrets = func([]byte) error { return nil }
	k, err := openKeyLog([]*sink{keeper}, path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w, line := k.writer(session(decrypt.Bumped)), bytes.Repeat([]byte("x"), 4095)
	line = append(line, '\n')
	for range 256 { // a pipe takes 64 KiB
		if n, err := w.Write(line); n != len(line) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if err := k.close(); err == nil {
		t.Error("lines that nobody read are not told of")
	}
}
