// Package rights tells what an open appliance needs of the system, by its configuration, and
// has the process give up the rest.
package rights

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/export"
	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/certs"
)

// Confine gives up, for good, all that a role of an open appliance of cfg does not need: root,
// capabilities, files, system calls. Call it when the appliance is open. file is the configuration
// file, "" if there is none. The state directory becomes the new user's.
func Confine(role *Role, cfg *config.Config, file string) (*privilege.Left, error) {
	if role.Unbounded {
		return nil, fmt.Errorf("the %s keeps the rights of the start", role.Name)
	}
	r := needed(role, cfg, file)
	var lack error
	if !r.Foreign || cfg.User != "" { // the module of a token knows files of its own
		r.User, lack = owner(cfg)
	}
	if lack != nil && cfg.User != "" {
		return nil, lack
	}
	if os.Geteuid() == 0 && !reachesAll(r.User, cfg, file) {
		r.Keep = append(r.Keep, cap.DAC_OVERRIDE)
	}
	left, err := privilege.Confine(r)
	if err == nil && lack != nil {
		left.Lacks = append(left.Lacks, lack)
	}
	return left, err
}

// owner finds the user that the process becomes, and gives the state directory to it.
func owner(cfg *config.Config) (privilege.User, error) {
	u, err := privilege.FindUser(cfg.User)
	if err == nil {
		err = u.Own(cfg.State)
	}
	if err != nil {
		return privilege.User{}, err
	}
	return u, nil
}

// needed is what a role of the appliance needs once everything is open. The user is not
// among it.
func needed(role *Role, cfg *config.Config, file string) privilege.Rights {
	r := role.Granted(cfg)
	r.Foreign = usesToken(cfg)
	reads, writes := files(cfg, file)
	r.Reads, r.Writes = reads, append(r.Writes, writes...)
	return r
}

// Files returns the files and directories that an appliance of cfg opens again while it
// runs, as far as the configuration names them. file is the configuration file.
func Files(cfg *config.Config, file string) (reads, writes []string) { return files(cfg, file) }

// files returns the paths that the configuration names. Files to read may be
// replaced while the process runs, so that their directories stand for them.
func files(cfg *config.Config, file string) (reads, writes []string) {
	writes = []string{cfg.State}
	if cfg.Audit.File != "stdout" {
		writes = append(writes, cfg.Audit.File, filepath.Dir(cfg.Audit.File)) // one that was rotated is made again
	}
	for _, o := range cfg.Audit.Outputs {
		if o.Network == export.File {
			writes = append(writes, o.Address, filepath.Dir(o.Address))
		}
	}
	for _, m := range cfg.Mirrors {
		if m.Files.Directory != "" {
			writes = append(writes, m.Files.Directory)
		}
	}
	named := slices.Concat([]string{file, cfg.Authority.PassphraseFile, cfg.Block.Page, cfg.Origin.Upstream.Credentials}, cfg.Origin.Roots, cfg.Origin.Revocation.CRL)
	for _, in := range cfg.Intakes {
		for _, f := range in.Certificates {
			named = append(named, f.Certificate, f.Key)
		}
	}
	for _, s := range cfg.Services {
		named = append(named, s.Roots...)
	}
	if cfg.Recorder != nil {
		named = append(named, cfg.Recorder.Files...)
	}
	for _, o := range cfg.Audit.Outputs {
		named = append(named, o.CA, o.Certificate, o.Key)
	}
	for _, l := range cfg.Policy.Lists {
		named = append(named, l.File)
	}
	for _, f := range namedPairs(cfg) {
		named = append(named, f.Certificate, f.Key)
	}
	for _, path := range named {
		if path != "" && path != "system" && !certs.IsTokenURI(path) {
			reads = append(reads, path, filepath.Dir(path))
		}
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); holds(dir) { // systemd's, with a passphrase
		reads = append(reads, dir)
	}
	return reads, writes
}

// holds reports whether a directory has something in it.
func holds(dir string) bool {
	entries, err := os.ReadDir(dir)
	return dir != "" && err == nil && len(entries) > 0
}

// namedPairs are the pairs of files that the configuration names, or "".
func namedPairs(cfg *config.Config) []config.KeyFiles {
	return []config.KeyFiles{
		{Certificate: cfg.Authority.Certificate, Key: cfg.Authority.Key},
		{Certificate: cfg.Authority.UntrustedCertificate, Key: cfg.Authority.UntrustedKey},
	}
}

// usesToken reports whether keys are in tokens.
func usesToken(cfg *config.Config) bool {
	return slices.ContainsFunc(namedPairs(cfg), func(f config.KeyFiles) bool { return certs.IsTokenURI(f.Key) })
}

// reachesAll reports whether a user needs no capability for files of the
// configuration that are opened again while the appliance runs.
func reachesAll(u privilege.User, cfg *config.Config, file string) bool {
	reads, writes := files(cfg, file)
	return !slices.ContainsFunc(reads, func(p string) bool { return !u.Reaches(p, 0o004) }) &&
		!slices.ContainsFunc(writes, func(p string) bool { return !u.Reaches(p, 0o002) })
}
