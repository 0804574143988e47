package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// StateOf returns the state directory that the file at path names, or the default of
// one that names none. The rest of the file may be bad: the box that runs with it is found
// all the same.
func StateOf(path string) (string, error) {
	data, err := readFile(path)
	if err != nil {
		return "", fmt.Errorf("read configuration: %w", err)
	}
	r := &reader{file: path, dir: filepath.Dir(path), lines: make(map[string]int)}
	root, at, err := parseTree(data)
	if err != nil {
		r.fail(at, "%v", err)
		return "", r.errs
	}
	state := value(r.table(root, "configuration"), "state", DefaultState(), parsePath(r.dir))
	if len(r.errs) > 0 {
		return "", r.errs.sorted()
	}
	return state, nil
}

// DefaultState is the state directory of a configuration that names none.
func DefaultState() string { return defaultState(Starter, os.Getenv) }
