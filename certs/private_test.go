package certs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCheckDirectory(t *testing.T) {
	for _, row := range []struct {
		mode    os.FileMode
		refused bool
	}{{0o700, false}, {0o750, false}, {0o755, false}, {0o770, true}, {0o702, true}, {0o777, true}, {0o777 | os.ModeSticky, true}} {
		path := filepath.Join(t.TempDir(), "authority")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, row.mode); err != nil {
			t.Fatal(err)
		}
		err := CheckDirectory(path)
		if (err != nil) != row.refused || err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("mode %v: %v", row.mode, err)
		}
		_, _, err = Directory{Path: path}.Open(time.Now(), &CreateOptions{CommonName: "test"})
		if (err != nil) != row.refused {
			t.Errorf("open with mode %v: %v", row.mode, err)
		}
	}
	if err := CheckDirectory(filepath.Join(t.TempDir(), "missing")); err != nil {
		t.Errorf("no directory: %v", err)
	}
}
