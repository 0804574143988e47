package rights

import (
	"slices"

	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/privilege"
)

// Role is a process of the appliance, and what it may do when it is open. The list of them
// is what [Confine] carries out and what the manual says.
type Role struct {
	Name  string // of the command `clearspan role`; that of the keeper has no command
	Reads string // what it reads that strangers sent
	// User, Files and Calls are what it is bound to, in the words of the manual.
	User, Files, Calls string
	// Unbounded says that it keeps the rights of the start, and has no grants.
	Unbounded bool
	// Grants are what stays for parts of the configuration.
	Grants []Grant
}

// Grant is what one part of a configuration needs.
type Grant struct {
	Of         string // in the words of the manual
	Keep       []cap.Value
	Namespaces bool     // it enters network namespaces that exist
	Programs   bool     // it uses eBPF
	Writes     []string // files and directories that no key names
	// Applies reports whether a configuration has the part.
	Applies func(cfg *config.Config) bool
}

var (
	// Keeper is the parent of all others.
	Keeper = Role{
		Name: "keeper", Reads: "nothing", Unbounded: true,
		User: "that of the start", Files: "those of the start", Calls: "all but those that load code into the kernel, trace processes, or set the clock",
	}
	// Worker serves sessions.
	Worker = Role{
		Name: "worker", Reads: "TLS, HTTP, mail, DNS, frames of devices, requests of operators",
		User:   "`clearspan`, or a number that nobody has",
		Files:  "writes `STATE`, captures and audit; reads directories of configured files, `/etc`, `/proc`, `/sys`",
		Calls:  "those of a server",
		Grants: []Grant{transparent, redirected, spliced, mirrored, inlined},
	}
	// Recorder keeps what sessions say. Package recorder carries this out, for it also runs
	// without an appliance.
	Recorder = Role{
		Name: "recorder", Reads: "cleartext of sessions, frames, captures",
		User:  "as the worker",
		Files: "writes `recorder.directory`, and directories of captures; reads certificates and the resolver's files",
		Calls: "those of a server",
	}
	// Extractor reads text for a recorder. Package extractor carries this out.
	Extractor = Role{
		Name: "extractor", Reads: "documents and archives",
		User:  "as the worker",
		Files: "none: what it reads is handed over",
		Calls: "those that use memory and open descriptors: no socket, no file, no program; 512 MiB of memory, 30 s a file",
	}
)

// Roles lists all roles.
func Roles() []Role { return []Role{Keeper, Worker, Recorder, Extractor} }

// sysctls and kept are what wires write while they run.
var (
	sysctls = "/proc/sys/net"
	kept    = []string{sysctls, "/run/clearspan", "/run/netns"}
)

var (
	transparent = Grant{
		// Origin legs have the client's address, and its port, which may be low.
		Of: "intake `tproxy`", Applies: hasIntake(config.TProxy),
		Keep: []cap.Value{cap.NET_ADMIN, cap.NET_RAW, cap.NET_BIND_SERVICE}, Writes: []string{sysctls},
	}
	redirected = Grant{
		// To take the rules back.
		Of: "intake `redirect`", Applies: hasIntake(config.Redirect),
		Keep: []cap.Value{cap.NET_ADMIN}, Writes: []string{sysctls},
	}
	spliced = Grant{
		// Sockets made in the established state, programs and maps; and namespaces,
		// which are entered to give the legs back. Pins and records are root's.
		Of: "intake `wire`", Applies: hasIntake(config.Wire),
		Keep:       []cap.Value{cap.NET_ADMIN, cap.NET_RAW, cap.NET_BIND_SERVICE, cap.BPF, cap.PERFMON, cap.SYS_ADMIN, cap.DAC_OVERRIDE},
		Namespaces: true, Programs: true, Writes: kept,
	}
	mirrored = Grant{
		// A port that comes back is opened again.
		Of: "mirror `interface`", Keep: []cap.Value{cap.NET_ADMIN, cap.NET_RAW}, Programs: true,
		Applies: func(cfg *config.Config) bool {
			return slices.ContainsFunc(cfg.Mirrors, func(m config.Mirror) bool { return m.Kind == config.Interface })
		},
	}
	inlined = Grant{
		// Transparent sockets, with clients' ports, which may be low.
		Of: "service `inline`", Keep: []cap.Value{cap.NET_ADMIN, cap.NET_BIND_SERVICE},
		Programs: true,
		Applies: func(cfg *config.Config) bool {
			return slices.ContainsFunc(cfg.Services, func(s config.Service) bool { return s.Kind == config.Inline })
		},
	}
)

func hasIntake(mode config.Mode) func(*config.Config) bool {
	return func(cfg *config.Config) bool {
		return slices.ContainsFunc(cfg.Intakes, func(in config.Intake) bool { return in.Mode == mode })
	}
}

// Granted returns what a configuration has the role keep, without user and files of keys.
func (r *Role) Granted(cfg *config.Config) (all privilege.Rights) {
	for _, g := range r.Grants {
		if !g.Applies(cfg) {
			continue
		}
		all.Keep = append(all.Keep, g.Keep...)
		all.Writes = append(all.Writes, g.Writes...)
		all.Namespaces = all.Namespaces || g.Namespaces
		all.Programs = all.Programs || g.Programs
	}
	slices.Sort(all.Keep)
	all.Keep = slices.Compact(all.Keep)
	return all
}
