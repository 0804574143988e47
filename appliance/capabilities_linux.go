package appliance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/config"
)

// needed returns the capabilities that the appliance needs once everything is open,
// each once, in the kernel's order. file is the configuration file, "" if there is none.
func needed(cfg *config.Config, file string) (c []cap.Value) {
	for _, in := range cfg.Intakes {
		switch in.Mode {
		case config.TProxy:
			// Origin legs have the client's address, and its port, which may be low.
			c = append(c, cap.NET_ADMIN, cap.NET_RAW, cap.NET_BIND_SERVICE)
		case config.Redirect:
			c = append(c, cap.NET_ADMIN) // to take the rules back
		case config.Wire:
			// Sockets made in the established state, programs and maps; and
			// namespaces, which are entered to give the legs back.
			c = append(c, cap.NET_ADMIN, cap.NET_RAW, cap.NET_BIND_SERVICE, cap.BPF, cap.PERFMON, cap.SYS_ADMIN)
		}
	}
	for _, m := range cfg.Mirrors {
		if m.Kind == config.Interface {
			c = append(c, cap.NET_ADMIN, cap.NET_RAW) // a port that comes back is opened again
		}
	}
	for _, s := range cfg.Services {
		if s.Kind == config.Inline {
			// Transparent sockets, with clients' ports, which may be low.
			c = append(c, cap.NET_ADMIN, cap.NET_BIND_SERVICE)
		}
	}
	if os.Geteuid() == 0 && othersFiles(cfg, file) {
		c = append(c, cap.DAC_OVERRIDE)
	}
	slices.Sort(c)
	return slices.Compact(c)
}

// capabilityNames lists capabilities as operators read them, "none" if there are none.
func capabilityNames(c []cap.Value) string {
	if len(c) == 0 {
		return "none"
	}
	names := make([]string, len(c))
	for i, v := range c {
		names[i] = strings.TrimPrefix(v.String(), "cap_")
	}
	return strings.Join(names, " ")
}

// othersFiles reports whether files that are opened again while the appliance
// runs can be reached by root only because root may do everything: they lie in
// directories of another user.
func othersFiles(cfg *config.Config, file string) bool {
	writes := []string{cfg.State, cfg.AuthorityDir()}
	if cfg.Audit.File != "stdout" {
		writes = append(writes, cfg.Audit.File, filepath.Dir(cfg.Audit.File))
	}
	for _, m := range cfg.Mirrors {
		writes = append(writes, m.Directory)
	}
	reads := slices.Concat([]string{file, cfg.Authority.PassphraseFile}, cfg.Origin.Roots, cfg.Origin.Revocation.CRL)
	for _, s := range cfg.Services {
		reads = append(reads, s.Roots...)
	}
	for _, l := range cfg.Policy.Lists {
		reads = append(reads, l.File)
	}
	for _, f := range []KeyPair{
		{cfg.Authority.Certificate, cfg.Authority.Key},
		{cfg.Authority.UntrustedCertificate, cfg.Authority.UntrustedKey},
	} {
		reads = append(reads, f.Certificate, f.Key)
	}
	for _, path := range writes {
		if isOthers(path, 0o002) {
			return true
		}
	}
	for _, path := range reads {
		if isOthers(path, 0o004) {
			return true
		}
	}
	return false
}

// isOthers reports whether a path belongs to another user and does not have the
// permission for everybody, or lies below a directory that is closed like that.
// What is no path, or does not exist, is nobody's.
func isOthers(path string, permission os.FileMode) bool {
	closed := func(path string, permission os.FileMode) bool {
		info, err := os.Stat(path)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		return ok && st.Uid != 0 && info.Mode().Perm()&permission == 0
	}
	if _, err := os.Stat(path); err != nil {
		return false
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return true
	}
	if closed(path, permission) {
		return true
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if closed(dir, 0o001) {
			return true
		}
		if dir == "/" {
			return false
		}
	}
}
