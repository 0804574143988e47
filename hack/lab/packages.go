package lab

import (
	_ "embed"
	"fmt"
	"os/exec"
	"strings"
)

// packagesText is the list that hack/packages.sh reads, too.
//
//go:embed packages.txt
var packagesText string

// Package is a Debian package that the lab runs programs of.
type Package struct {
	Name    string
	For     string // "demo", "record" (needs those of demo, too), "test" (needs both) or "bench"
	Program string // its presence proves the package: a name in PATH, or a path; "" for none
	Way     string // "": installed; "unpack" or "backports": see packages.txt
}

// Packages are those of packages.txt.
var Packages = parsePackages(packagesText)

// parsePackages panics at a line that is no package: the list is part of the program.
func parsePackages(text string) (list []Package) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		switch len(f) {
		case 0:
			continue
		case 3:
			f = append(f, "")
		case 4:
		default:
			panic(fmt.Sprintf("packages.txt: %q has %d columns, want 3 or 4", line, len(f)))
		}
		list = append(list, Package{f[0], f[1], strings.TrimPrefix(f[2], "-"), f[3]})
	}
	return list
}

// wantedFor tells whether a purpose needs the package.
func (p Package) wantedFor(purpose string) bool {
	switch purpose {
	case "test":
		return p.For == "demo" || p.For == "record" || p.For == "test"
	case "record":
		return p.For == "demo" || p.For == "record"
	}
	return p.For == purpose
}

// programOf returns the program that proves a package.
func programOf(name string) string {
	for _, p := range Packages {
		if p.Name == name {
			return p.Program
		}
	}
	return ""
}

// MissingPrograms returns an error that names the packages for a purpose whose
// programs are not in PATH, and how to get them.
func MissingPrograms(purpose string) error {
	var missing []string
	for _, p := range Packages {
		if p.Program == "" || !p.wantedFor(purpose) {
			continue
		}
		if _, err := exec.LookPath(p.Program); err != nil {
			missing = append(missing, p.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("programs of %s are not installed: run hack/packages.sh %s",
			strings.Join(missing, ", "), purpose)
	}
	return nil
}
