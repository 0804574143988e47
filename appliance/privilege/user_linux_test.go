package privilege

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/clearspan/clearspan/hack/needs"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		needs.Missing(t, "needs root")
	}
}

// open makes a directory that everybody may enter, unlike those of t.TempDir.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "clearspan-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFindUser(t *testing.T) {
	needRoot(t)
	for name, want := range map[string]int{"root": 0, "0": 0, "nobody": 65534, "65534": 65534} {
		if u, err := FindUser(name); err != nil || u.ID() != want {
			t.Errorf("user %s is %d, %v; want %d", name, u.ID(), err, want)
		}
	}
	if u, err := FindUser("clearspan-no-such-user"); err == nil || !strings.Contains(err.Error(), "clearspan-no-such-user") {
		t.Errorf("a user that is not: %d, %v", u.ID(), err)
	}
	if u, err := FindUser(""); err != nil || u.ID() == 0 {
		t.Errorf("without a name: %d, %v", u.ID(), err)
	}
}

func TestMapped(t *testing.T) {
	all := "         0          0 4294967295\n"
	some := "0 100000 65536\n70000 200000 10\n"
	for _, row := range []struct {
		lines string
		id    int
		want  bool
	}{
		{all, 60900, true}, {some, 60900, true}, {some, 65536, false}, {some, 70009, true}, {some, 70010, false},
		{"0 1000 1\n", 60900, false}, {"", 0, false}, {"nonsense\n", 0, false},
	} {
		if got := mapped(row.lines, row.id); got != row.want {
			t.Errorf("%d in %q: %v", row.id, row.lines, got)
		}
	}
}

func TestReaches(t *testing.T) {
	needRoot(t)
	dir := open(t)
	in := func(name string, uid, gid int, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const who, group, other = 60900, 60900, 65534
	closed, shown := in("closed", other, other, 0o700), in("shown", other, other, 0o755)
	for _, row := range []struct {
		path       string
		permission os.FileMode
		want       bool
	}{
		{"", 0o002, true}, {"stdout", 0o002, true}, {filepath.Join(dir, "absent"), 0o002, true},
		{in("own", who, other, 0o700), 0o002, true}, {in("own-read-only", who, other, 0o577), 0o002, false},
		{in("group", other, group, 0o770), 0o002, true}, {in("group-closed", other, group, 0o707), 0o002, false},
		{in("anybody", other, other, 0o777), 0o002, true}, {in("not-to-enter", other, other, 0o776), 0o002, false},
		{closed, 0o002, false}, {shown, 0o002, false}, {shown, 0o004, true},
		{in("closed/own", who, group, 0o700), 0o002, false}, {in("shown/own", who, group, 0o700), 0o002, true},
	} {
		if got := reaches(who, group, row.path, row.permission); got != row.want {
			t.Errorf("%s for %o: %v, want %v", row.path, row.permission, got, row.want)
		}
	}
}

// Only what is root's, or was of a process before, changes hands, and nothing that is
// elsewhere, too.
func TestOwn(t *testing.T) {
	needRoot(t)
	dir := open(t)
	state, outside := filepath.Join(dir, "state"), filepath.Join(dir, "outside")
	for _, d := range []string{state, filepath.Join(state, "sub"), outside} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, uid := range map[string]int{"state/roots": 0, "state/sub/roots": 0, "state/earlier": firstUnnamed + 1, "state/others": 1234, "outside/file": 0, "outside/linked": 0} {
		if err := os.WriteFile(at(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(at(name), uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(at("outside/file"), at("state/symlink")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, at("state/directory")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(at("outside/linked"), at("state/second-name")); err != nil {
		t.Fatal(err)
	}
	u := User{uid: 60999, gid: 60999, change: true}
	if err := u.Own(state); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint32{
		"state": 60999, "state/sub": 60999, "state/roots": 60999, "state/sub/roots": 60999, "state/earlier": 60999,
		"state/others": 1234, "outside": 0, "outside/file": 0, "outside/linked": 0, "state/second-name": 0,
	} {
		info, err := os.Lstat(at(name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s is of %d, want %d", name, got, want)
		}
	}
	// What others look into is not for clearspan alone.
	if err := u.Own(dir); err != nil {
		t.Error(err)
	}
	for _, name := range []string{".", "outside", "outside/file"} {
		if info, err := os.Lstat(at(name)); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s was given away, %v", name, err)
		}
	}
	if shared, err := isShared("/root"); err != nil || !shared {
		t.Errorf("root's home is for clearspan alone: %v", err)
	}
	if err := u.Own(at("absent")); err == nil {
		t.Error("a directory that is not there is given away")
	}
}
