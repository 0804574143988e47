package appliance

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/clearspan/clearspan/appliance/config"
)

func TestNeededCapabilities(t *testing.T) {
	for _, row := range []struct {
		name    string
		intake  config.Mode
		mirrors []config.Mirror
		want    string
	}{
		{"explicit, files", config.Explicit, []config.Mirror{{Kind: config.PCAPNG}, {Kind: config.PCAPOverIP}}, "none"},
		{"static", config.Static, nil, "none"},
		{"mirror port", config.Explicit, []config.Mirror{{Kind: config.Interface}}, "net_admin net_raw"},
		{"tproxy", config.TProxy, nil, "net_bind_service net_admin net_raw"},
		{"redirect", config.Redirect, nil, "net_admin"},
		{"wire", config.Wire, nil, "net_bind_service net_admin net_raw sys_admin perfmon bpf"},
	} {
		cfg := &config.Config{Intakes: []config.Intake{{Mode: row.intake}}, Mirrors: row.mirrors}
		if got := capabilityNames(needed(cfg, "")); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestFilesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	// Not below t.TempDir(), which is in a directory of this user with mode 0700.
	dir, err := os.MkdirTemp("", "clearspan-others")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in := func(name string, uid int, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	closed, open := in("closed", 65534, 0o700), in("open", 65534, 0o755)
	for _, row := range []struct {
		path       string
		permission os.FileMode
		want       bool
	}{
		{"", 0o002, false}, {"stdout", 0o002, false}, {filepath.Join(dir, "absent"), 0o002, false},
		{in("own", 0, 0o700), 0o002, false},
		{closed, 0o002, true}, {open, 0o002, true}, {open, 0o004, false},
		{in("closed/own", 0, 0o700), 0o002, true}, {in("open/own", 0, 0o700), 0o002, false},
	} {
		if got := isOthers(row.path, row.permission); got != row.want {
			t.Errorf("%s for %o: %v, want %v", row.path, row.permission, got, row.want)
		}
	}
}
