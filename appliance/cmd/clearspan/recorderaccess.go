package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/api"
)

// accessFlags say why somebody looks at what a recorder keeps.
type accessFlags struct{ file, reason string }

func (a *accessFlags) add(f *pflag.FlagSet) {
	f.StringVar(&a.file, "case", "", "note in the log of accesses for which `CASE` it is")
	f.StringVar(&a.reason, "reason", "", "note in the log of accesses why: `TEXT`")
}

// note notes in the log of accesses who looks at what. A directory that cannot be written is a
// copy, or somebody else's: that nothing is noted is said.
func (a *accessFlags) note(dir string, role api.Role, command, what string) error {
	log, err := api.OpenLog(recorder.DirectoryOf(dir))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		fmt.Fprintln(os.Stderr, "the directory cannot be written: this access is not in its log")
		return nil
	}
	if err != nil {
		return fmt.Errorf("log of accesses: %w", err)
	}
	who := "uid " + strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
		who = u.Username
	}
	return errors.Join(log.Write(api.Access{
		At: time.Now().UTC(), Who: who, From: "command", Role: role, Route: command, What: what, Case: a.file, Reason: a.reason,
	}), log.Close())
}
