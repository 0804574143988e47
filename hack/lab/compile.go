package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Compile builds the appliance for tests from the module that the working directory
// is in, with the race detector if wanted. See [DependOnSources].
func Compile(to string, race bool) error {
	root, err := moduleRoot()
	if err != nil {
		return fmt.Errorf("build appliance: %w", err)
	}
	build := exec.Command("go", "build", "-pgo=off", "-o", to) // off: much faster to build
	if race {
		build.Args = append(build.Args, "-race")
		build.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	build.Args = append(build.Args, "./appliance/cmd/clearspan")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build appliance: %w\n%s", err, out)
	}
	return nil
}

// moduleRoot returns the directory of go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod in the working directory or above")
		}
		dir = up
	}
}

// DependOnSources looks at every file that the appliance may be made of. The go
// command notes that of a test, and runs it again when one has changed, in place of
// showing the result of an earlier run. It does not note what TestMain does before
// the tests.
func DependOnSources() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // another test's, gone again
			return nil
		case err != nil:
			return err
		case d.IsDir():
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || slices.Contains([]string{"bin", "results", "testdata"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if _, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
