package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestAt finds values in a file for what was found wrong with them later.
func TestAt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clearspan.yaml")
	if err := os.WriteFile(file, []byte(`origin:
  roots: [system, extra.pem]
  revocation: {crl: one.crl}
intake:
  - {name: proxy}
  - name: site
    certificate: site.crt
block:
`), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(filepath.Dir(file), "broken.yaml")
	if err := os.WriteFile(broken, []byte("origin: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fault := errors.New("not\ngood")
	for _, row := range []struct {
		name, file string
		keys       []string
		want       string
	}{
		{"item of a list", file, []string{"origin", "roots", "1"}, file + ":2:19: not good"},
		{"value for a list of one", file, []string{"origin", "revocation", "crl", "0"}, file + ":3:21: not good"},
		{"key of an item", file, []string{"intake", "1", "certificate"}, file + ":7:18: not good"},
		{"a key is passed over", file, []string{"intake", "1", "certificates", "0", "certificate"}, file + ":7:18: not good"},
		{"no such item", file, []string{"intake", "7"}, file + ":5:3: not good"},
		{"no value", file, []string{"block", "page"}, file + ":1:1: not good"},
		{"no keys", file, nil, file + ":1:1: not good"},
		{"no YAML", broken, []string{"origin"}, broken + ":1:9: not good"},
		{"no file", filepath.Join(filepath.Dir(file), "absent"), []string{"origin"}, "not\ngood"},
		{"no name", "", []string{"origin"}, "not\ngood"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := At(row.file, fault, row.keys...)
			if err.Error() != row.want {
				t.Errorf("%v, want %s", err, row.want)
			}
		})
	}
	if err := At(file, nil, "origin"); err != nil {
		t.Errorf("an error for none: %v", err)
	}
	if err := At("", fs.ErrNotExist); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another error: %v", err)
	}
}
