package admin

import (
	"os"
	"path/filepath"
	"testing"
)

func TestToken(t *testing.T) {
	state := t.TempDir()
	if _, err := Token(state); err == nil {
		t.Error("a token where there is none")
	}
	token, err := MakeToken(state)
	if err != nil || len(token) < minToken {
		t.Fatalf("token %q, error %v", token, err)
	}
	path := filepath.Join(state, TokenName)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, error %v", info.Mode(), err)
	}
	if again, err := MakeToken(state); err != nil || again != token {
		t.Errorf("token %q after %q, error %v", again, token, err)
	}
	if files, err := os.ReadDir(state); err != nil || len(files) != 1 {
		t.Errorf("left behind %v, error %v", files, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeToken(state); err == nil {
		t.Error("a token that others read is taken")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeToken(state); err == nil {
		t.Error("a short token is taken")
	}
}
