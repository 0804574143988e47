// Package here compares a configuration with the machine that it is to run on: who has
// its addresses, which interfaces and capabilities there are, whether services answer,
// and how much room the disks have. It changes nothing, and puts errors of a start into
// words that name a way out.
package here

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/clearspan/clearspan/appliance/config"
)

// Finding is something of the machine that does not suit a configuration.
type Finding struct {
	Message string
	Keys    []string // that lead to the value concerned, see [config.Locator]
	Warning bool     // the appliance starts all the same
}

// Look compares a configuration with this machine. It opens no listener for longer than a
// moment, and asks ICAP services for their options, each for at most five seconds. running
// tells that an appliance of this configuration runs, which has its addresses and legs.
func Look(ctx context.Context, cfg *config.Config, running bool) (list []Finding) {
	list = append(list, addresses(cfg, running)...)
	list = append(list, interfaces(cfg)...)
	list = append(list, capabilities(cfg)...)
	list = append(list, directories(cfg)...)
	list = append(list, services(ctx, cfg)...)
	return list
}

// Remedy returns err, why the appliance did not start with a configuration, with a way out
// where it knows one. file is the configuration file, "" if there is none.
func Remedy(cfg *config.Config, file string, err error) error {
	if better := inUse(cfg, file, err); better != err {
		return better
	}
	for _, f := range interfaces(cfg) {
		if name := f.name(); name != "" && strings.Contains(err.Error(), name) && !errors.Is(err, fs.ErrPermission) {
			return config.At(file, errors.New(f.Message), f.Keys...)
		}
	}
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if lacks := capabilities(cfg); len(lacks) > 0 {
		return fmt.Errorf("%w: %s", err, lacks[0].Message)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%w: %s may not use %s: name another path, or start clearspan as root", err, account(), e.Path)
	}
	return fmt.Errorf("%w: start clearspan as root", err)
}

// name returns the interface that a finding says is missing, "" for other findings.
func (f *Finding) name() string {
	rest, ok := strings.CutPrefix(f.Message, noInterface)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, ":")
	return name
}

// account names the user of this process.
func account() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return fmt.Sprintf("user %d", os.Geteuid())
}
