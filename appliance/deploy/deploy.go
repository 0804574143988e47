// Package deploy has what an installation of clearspan is made of beside the program: the
// unit of systemd with its profiles, and the contents of packages.
//
// A profile bounds the service by what its configuration needs. The process bounds
// itself further when all is open, see package privilege. The exposure of each profile,
// as systemd-analyze security counts it, is held by a test.
package deploy

import (
	"embed"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/privilege/rights"
)

//go:embed systemd/*
var files embed.FS

// The names of the unit, of the file that chooses its profile, and of the paths that the
// unit has.
const (
	UnitName    = "clearspan.service"
	DropInName  = "10-profile.conf"
	Program     = "/usr/bin/clearspan"
	ConfigFile  = "/etc/clearspan/clearspan.yaml"
	stateFolder = "/var/lib/clearspan"
)

// Profile is a set of bounds of the service.
type Profile string

// The profiles, from narrow to wide.
const (
	Proxy   Profile = "proxy"   // user clearspan, no capability, a file system of its own
	Gateway Profile = "gateway" // named capabilities, a file system of its own
	Wire    Profile = "wire"    // named capabilities, the machine's mounts
)

// Profiles lists all profiles, from narrow to wide.
var Profiles = []Profile{Proxy, Gateway, Wire}

// Choose returns the narrowest profile in which a configuration works, and why no
// narrower one is enough. why is empty for [Proxy].
func Choose(cfg *config.Config) (p Profile, why string) {
	for _, in := range cfg.Intakes {
		if in.Mode == config.Wire {
			return Wire, fmt.Sprintf("intake %s is a wire", in.Name)
		}
	}
	for _, s := range cfg.Services {
		if s.Kind == config.Inline {
			return Wire, fmt.Sprintf("service %s is an inline device", s.Name)
		}
	}
	for _, in := range cfg.Intakes {
		if in.Mode == config.TProxy || in.Mode == config.Redirect {
			return Gateway, fmt.Sprintf("intake %s has the mode %s", in.Name, in.Mode)
		}
	}
	for _, m := range cfg.Mirrors {
		if m.Kind == config.Interface {
			return Gateway, fmt.Sprintf("mirror %s is a network interface", m.Name)
		}
	}
	for _, l := range listeners(cfg) {
		if _, port, err := net.SplitHostPort(l.at); err == nil && low(port) {
			return Gateway, fmt.Sprintf("%s listens on %s, a port below 1024", l.name, l.at)
		}
	}
	if cfg.User == "root" {
		return Gateway, "user is root"
	}
	return Proxy, ""
}

type listener struct{ name, at string }

func listeners(cfg *config.Config) []listener {
	list := []listener{{"admin", cfg.Admin.Listen}, {"publish", cfg.Authority.Publish}}
	for _, in := range cfg.Intakes {
		list = append(list, listener{"intake " + in.Name, in.Listen()})
	}
	for _, m := range cfg.Mirrors {
		if m.Kind == config.PCAPOverIP {
			list = append(list, listener{"mirror " + m.Name, m.Live.Addr})
		}
	}
	return list
}

func low(port string) bool {
	n, err := strconv.Atoi(port)
	return err == nil && 0 < n && n < 1024
}

// Unit returns the unit for a program at a path.
func Unit(program string) string {
	text, err := files.ReadFile("systemd/" + UnitName)
	if err != nil {
		panic(err) // it is embedded
	}
	return strings.ReplaceAll(string(text), Program+" ", program+" ")
}

// Written begins the line of a drop-in by which the command is found that wrote it.
const Written = "# Written by: clearspan deploy systemd -c "

// DropIn returns the drop-in for the configuration cfg of a file, which is an absolute path,
// and a program. notes are what the operator has to see to.
func DropIn(cfg *config.Config, file, program string) (text string, notes []string) {
	p, why := Choose(cfg)
	body, err := files.ReadFile("systemd/" + string(p) + ".conf")
	if err != nil {
		panic(err) // it is embedded
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n# Profile: %s", Written, file, p)
	if why != "" {
		fmt.Fprintf(&b, " (%s)", why)
	}
	b.WriteString("\n\n")
	b.Write(body)
	if file != ConfigFile {
		fmt.Fprintf(&b, "ExecStart=\nExecStart=%s run -c %s\nExecReload=\nExecReload=%s reload -c %s\n", program, escape(file), program, escape(file))
	}
	user := privilege.Account
	if cfg.User != "" && cfg.User != "root" {
		user = cfg.User
	}
	if p == Proxy && user != privilege.Account {
		fmt.Fprintf(&b, "User=%s\nGroup=\n", user)
	}
	reads, writes := rights.Files(cfg, file)
	if p == Wire {
		return b.String(), nil // the unit has the machine's files
	}
	writes = tops(slices.DeleteFunc(writes, func(path string) bool { return within(path, stateFolder) }))
	if slices.ContainsFunc(slices.Concat(reads, writes), inHome) {
		b.WriteString("ProtectHome=read-only\n")
	}
	for _, path := range writes {
		fmt.Fprintf(&b, "ReadWritePaths=-%s\n", escape(path))
		if p == Proxy {
			notes = append(notes, fmt.Sprintf("give %s to the user %s", path, user))
		}
	}
	for _, path := range tops(slices.Concat(reads, writes)) {
		for _, temporary := range []string{"/tmp", "/var/tmp"} {
			if within(path, temporary) {
				notes = append(notes, fmt.Sprintf("move %s elsewhere: the service has a %s of its own", path, temporary))
			}
		}
	}
	return b.String(), notes
}

// tops returns the paths that lie below none of the others.
func tops(paths []string) (list []string) {
	slices.Sort(paths)
	for _, path := range paths {
		if !slices.ContainsFunc(list, func(top string) bool { return within(path, top) }) {
			list = append(list, path)
		}
	}
	return list
}

func inHome(path string) bool {
	return within(path, "/home") || within(path, "/root") || within(path, "/run/user")
}

// within reports whether path is dir or lies below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// escape writes a path as units have it: specifiers and blanks are no such.
func escape(path string) string {
	return strings.NewReplacer("%", "%%", `\`, `\\`, " ", `\x20`, "\t", `\x09`, "\n", `\x0a`, "$", "$$", `"`, `\x22`, "'", `\x27`, ";", `\x3b`).Replace(path)
}
