package authority

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/config"
)

func TestPassphrase(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, row := range map[string]struct{ file, want string }{
		"line":     {write("line", "two words \r\nmore\n", 0o600), "two words "},
		"no end":   {write("end", "p", 0o400), "p"},
		"systemd":  {write("group", "p", 0o440), "p"},
		"empty":    {write("empty", "\np", 0o600), ""},
		"readable": {write("readable", "p", 0o644), ""},
		"long":     {write("long", strings.Repeat("p", 2000), 0o600), ""},
		"absent":   {filepath.Join(dir, "absent"), ""},
	} {
		if got, err := ReadPassphrase(row.file); got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	cfg := &config.Config{}
	calls := 0
	ask, stored := Passphrase(cfg, func() (string, error) { calls++; return "typed", nil })
	for range 2 {
		if p, err := ask(); p != "typed" || err != nil || stored {
			t.Errorf("%q, %v, stored %v", p, err, stored)
		}
	}
	if calls != 1 {
		t.Errorf("asked %d times", calls)
	}
	if ask, _ := Passphrase(cfg, nil); ask != nil {
		if _, err := ask(); err == nil {
			t.Error("a passphrase out of nothing")
		}
	}
	write(credential, "from systemd\n", 0o400)
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	ask, stored = Passphrase(cfg, nil)
	if p, err := ask(); p != "from systemd" || err != nil || !stored {
		t.Errorf("%q, %v, stored %v", p, err, stored)
	}
}
