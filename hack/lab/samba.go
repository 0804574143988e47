package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// SambaPort is the port of [StartSamba].
const SambaPort = 445

// SambaPassword is that of the user root.
const SambaPassword = "only for tests"

// Samba is a running server of files.
type Samba struct {
	*Server
	Root    string // of the share "plans", which root may change
	Private string // of the share "private", whose sessions are encrypted
}

// StartSamba serves files to the user root.
func StartSamba(ns *netlab.Namespace, dir string) (*Samba, error) {
	s := &Samba{Root: filepath.Join(dir, "root"), Private: filepath.Join(dir, "private")}
	for _, d := range []string{s.Root, s.Private, filepath.Join(dir, "state")} {
		if err := ownDir(d, 0, 0, 0o755); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(dir, "smb.conf")
	if err := writeFiles(dir, map[string]string{"smb.conf": fmt.Sprintf(sambaConfig, SambaPort, filepath.Join(dir, "state"), s.Root, s.Private)}); err != nil {
		return nil, err
	}
	add := ns.Command(context.Background(), "smbpasswd", "-c", config, "-s", "-a", "root")
	add.Stdin = strings.NewReader(SambaPassword + "\n" + SambaPassword + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("add a user to Samba: %w\n%s", err, out)
	}
	var err error
	s.Server, err = startServer(ns, dir, listening(ns, []int{SambaPort}), "smbd", "-F", "--no-process-group", "-s", config, "-l", dir)
	return s, err
}

// SMBClient returns the command line of smbclient for a share: commands are separated by
// semicolons.
func SMBClient(address, share, commands string, options ...string) []string {
	return append([]string{"smbclient", "-s", "/dev/null", "-U", "root%" + SambaPassword, "//" + address + "/" + share, "-c", commands}, options...)
}

const sambaConfig = `[global]
workgroup = LAB
netbios name = BOX
smb ports = %[1]d
private dir = %[2]s
lock directory = %[2]s
state directory = %[2]s
cache directory = %[2]s
pid directory = %[2]s
ncalrpc dir = %[2]s/ncalrpc
passdb backend = tdbsam:%[2]s/passdb.tdb
load printers = no
printing = bsd
disable spoolss = yes
[plans]
path = %[3]s
writable = yes
[private]
path = %[4]s
writable = yes
smb encrypt = required
`
