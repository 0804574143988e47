package inline

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// program is what runs in the kernel, while its links are open.
type program struct {
	kernelObjects
	links []link.Link
}

func loadProgram(c Config) (*program, error) {
	spec, err := loadKernel()
	if err != nil {
		return nil, err
	}
	resolves := uint8(0)
	if c.resolves() {
		resolves = 1
	}
	for name, value := range map[string]any{kernelVarVlan: c.VLAN, kernelVarResolves: resolves} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("set %s of inline program: %w", name, err)
		}
	}
	p := new(program)
	if err := spec.LoadAndAssign(&p.kernelObjects, nil); err != nil {
		return nil, fmt.Errorf("load inline program: %w", err)
	}
	return p, nil
}

// attach puts the programs to work on both legs.
func (p *program) attach(ports [2]*port) error {
	for i, s := range ports {
		from := [2]*ebpf.Program{p.InlineFromNear, p.InlineFromFar}[i]
		err := s.Do(func() error {
			for _, at := range []link.TCXOptions{
				{Interface: s.index, Program: p.InlineEgress, Attach: ebpf.AttachTCXEgress},
				{Interface: s.index, Program: from, Attach: ebpf.AttachTCXIngress},
			} {
				l, err := link.AttachTCX(at)
				if err != nil {
					return err
				}
				p.links = append(p.links, l)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("attach inline program to leg %s: %w", s.link.Name, err)
		}
	}
	err := ports[1].Do(func() error {
		ns, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		defer ns.Close()
		l, err := link.AttachNetNs(int(ns.Fd()), p.InlineLookup)
		if err == nil {
			p.links = append(p.links, l)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("attach inline program to socket look-up: %w", err)
	}
	return nil
}

// files returns the descriptors of maps and links once more.
func (p *program) files() (maps, links []*os.File, err error) {
	for _, m := range []*ebpf.Map{p.Expected, p.Listeners, p.Paths} {
		f, err := fileOf(m.FD(), "map of inline program")
		if err != nil {
			return maps, links, err
		}
		maps = append(maps, f)
	}
	for _, l := range p.links {
		raw, ok := l.(interface{ FD() int })
		if !ok {
			return maps, links, fmt.Errorf("hold link of inline program: it is a %T", l)
		}
		f, err := fileOf(raw.FD(), "link of inline program")
		if err != nil {
			return maps, links, err
		}
		links = append(links, f)
	}
	return maps, links, nil
}

func (p *program) close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(append(errs, p.kernelObjects.Close())...)
}

// pathNames are the words for counters of frames, in the order of the programs.
var pathNames = [...]string{
	"frames-in",  // Frames of sessions from the device.
	"frames-out", // Frames of sessions to the device.
	"unpaired",   // Dropped: the frame opens a connection that no session waits for.
	"stray",      // Dropped: the frame belongs to no session.
	"tag",        // Dropped: the frame has another VLAN tag, or none.
	"foreign",    // Dropped: the frame is not TCP.
	"own",        // Dropped: the kernel of this machine sent the frame for no session.
}

// mapsOf makes maps of their files, which it borrows.
func mapsOf(files []*os.File) (m kernelMaps, err error) {
	if len(files) != mapFiles {
		return m, fmt.Errorf("take maps of inline program: there are %d files, not %d", len(files), mapFiles)
	}
	for i, to := range []**ebpf.Map{&m.Expected, &m.Listeners, &m.Paths} {
		raw, err := files[i].SyscallConn()
		fd := -1
		if err == nil {
			var failed error
			err = raw.Control(func(own uintptr) { fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
			err = errors.Join(err, failed)
		}
		if err == nil {
			*to, err = ebpf.NewMapFromFD(fd)
		}
		if err != nil {
			return m, errors.Join(fmt.Errorf("take maps of inline program: %w", err), m.Close())
		}
	}
	return m, nil
}

// counters sums the counters over all processors.
func (m *kernelMaps) counters(all map[string]uint64) error {
	var each []uint64
	for i, name := range pathNames {
		if err := m.Paths.Lookup(uint32(i), &each); err != nil {
			return fmt.Errorf("read counters of inline program: %w", err)
		}
		for _, n := range each {
			all[name] += n
		}
	}
	return nil
}
