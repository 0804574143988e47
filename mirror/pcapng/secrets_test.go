package pcapng

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/mirror"
)

func reader(t *testing.T, file *os.File) *pcapgo.NgReader {
	t.Helper()
	r, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSecrets: what gopacket reads as secrets is what was written; capinfos
// finds no fault with the file.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir})
	for _, lines := range []string{"CLIENT_RANDOM 00 11\n", "SERVER_TRAFFIC_SECRET_0 22 333\n"} {
		if err := s.Secrets([]byte(lines)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Secrets(bytes.Repeat([]byte("x"), maxSecrets+1)); !errors.Is(err, mirror.ErrTooLong) {
		t.Errorf("secrets that are too long: %v", err)
	}
	send(t, s, frames(t, 3))
	s.Close()
	if err := s.Secrets([]byte("late\n")); !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("secrets after Close: %v", err)
	}
	if n := s.Stats().SecretsLost; n != 2 {
		t.Errorf("%d secrets lost, want 2", n)
	}
	names := list(t, dir, suffix)
	if len(names) != 1 {
		t.Fatalf("files %v", names)
	}
	path := filepath.Join(dir, names[0])
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := reader(t, file)
	for {
		if _, _, err := r.ReadPacketData(); err != nil {
			break
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(raw, appendSecrets(nil, []byte("CLIENT_RANDOM 00 11\n"))) {
		t.Errorf("no block of secrets, %v", err)
	}
	if n := len(read(t, path)); n != 3 {
		t.Errorf("%d packets, want 3", n)
	}
	if capinfos, err := exec.LookPath("capinfos"); err == nil {
		out, err := exec.Command(capinfos, path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Number of packets:   3\n") {
			t.Errorf("capinfos: %v\n%s", err, out)
		}
	}
}

// TestSecretsAlone: secrets are worth a file, also after a crash.
func TestSecretsAlone(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir})
	if err := s.Secrets([]byte("CLIENT_RANDOM 00 11\n")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	names := list(t, dir, suffix)
	if len(names) != 1 {
		t.Fatalf("files %v", names)
	}
	path := filepath.Join(dir, names[0])
	if err := os.Rename(path, path+partial); err != nil {
		t.Fatal(err)
	}
	openSink(t, Config{Directory: dir})
	if names := list(t, dir, suffix); len(names) != 1 {
		t.Errorf("after a crash: %v", list(t, dir, ""))
	}
}
