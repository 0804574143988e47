package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/source"
)

// portFlags say how interfaces are read.
type portFlags struct {
	names  []string
	rings  int
	ring   string
	filter string
}

func (p *portFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&p.names, "interface", nil, "capture the frames of `IF` (may be repeated)")
	f.IntVar(&p.rings, "rings", 1, "read each interface by `N` threads, which share its frames by session")
	f.StringVar(&p.ring, "ring", "64MiB", "give each of them a ring of `SIZE` for frames that wait")
	f.StringVar(&p.filter, "filter", "", "take the frames for which `EXPRESSION` holds, as of tcpdump")
}

// apply adds the interfaces to a recorder, and standard input if that is a source.
func (p *portFlags) apply(c *recorder.Config, in io.Reader) error {
	size, err := config.ParseSize(p.ring)
	if err != nil {
		return fmt.Errorf("--ring: %w", err)
	}
	if p.rings < 1 {
		return fmt.Errorf("--rings: want 1 to %d, not %d", source.MaxRings, p.rings)
	}
	port := source.Port{Rings: p.rings, Ring: int64(size), Filter: p.filter}
	if err := port.Check(); err != nil {
		return err
	}
	if p.filter != "" && len(p.names) == 0 {
		return errors.New("--filter is for interfaces")
	}
	for _, port.Name = range p.names {
		c.Interfaces = append(c.Interfaces, port)
	}
	if i := slices.Index(c.Incoming, "-"); i >= 0 {
		file, ok := in.(*os.File)
		if !ok {
			return errors.New("--incoming -: standard input is no file")
		}
		c.Incoming, c.Input = slices.Delete(c.Incoming, i, i+1), file
	}
	return nil
}
