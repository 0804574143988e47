package certs

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/clearspan/clearspan/hack/needs"
)

// A process of root, such as `clearspan ca rotate`, leaves files that the user can
// read whose directory it is.
func TestFilesBelongToTheDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		needs.Missing(t, "needs root")
	}
	const user = 60900
	state := t.TempDir()
	if err := os.Chown(state, user, user); err != nil {
		t.Fatal(err)
	}
	d := Directory{Path: filepath.Join(state, "authority")}
	if _, _, err := d.Open(testNow, &CreateOptions{CommonName: "Test Inspection"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Rotate(CreateOptions{}, testNow, 0); err != nil {
		t.Fatal(err)
	}
	openDirectory(t, d, testNow) // which takes the successor over
	files := 0
	err := filepath.WalkDir(state, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files++
		if st := info.Sys().(*syscall.Stat_t); st.Uid != user || st.Gid != user {
			t.Errorf("%s is of user %d, group %d", path, st.Uid, st.Gid)
		}
		return nil
	})
	if err != nil || files < 6 {
		t.Errorf("%d files, %v", files, err)
	}
}
