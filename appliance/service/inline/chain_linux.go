package inline

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/netspace"
)

// Chain is what a device has in the kernel: the legs in their namespaces, with programs
// and routes. Processes that send through the device have it in common, see [Join], and one
// holds it. Its methods are not safe for concurrent use.
type Chain struct {
	name  string
	host  *netspace.Host
	lock  *os.File
	ports [2]*port   // nil: another program of this process opened them
	maps  []*os.File // of the programs, see kernelMaps
	links []*os.File // of the programs: they run while these are open
}

// mapFiles and linkFiles are how many descriptors a chain has of each.
const (
	mapFiles  = 3
	linkFiles = 5
)

// OpenChain takes the legs, and says what [New] says.
func OpenChain(c Config) (*Chain, error) {
	host, err := netspace.OwnHost()
	if err != nil {
		return nil, fmt.Errorf("open inline device: %w", err)
	}
	return openChain(c, host)
}

// openChain takes the legs from host.
func openChain(c Config, host *netspace.Host) (*Chain, error) {
	c, err := c.complete()
	var all *lock
	if err == nil {
		all, err = lockAll()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open inline device: %w", err), host.Close())
	}
	defer all.close()
	k := &Chain{name: c.Name, host: host}
	if err := k.open(c); err != nil {
		return nil, fmt.Errorf("open inline device %s: %w", c.Name, errors.Join(err, k.close()))
	}
	return k, nil
}

// open sets everything up; the caller holds the lock of all.
func (k *Chain) open(c Config) error {
	if err := sweep(k.host, c.Name); err != nil {
		return err
	}
	one, err := lockOne(c.Name)
	if err != nil {
		return err
	}
	k.lock = one.file
	r := &record{Home: k.host.ID()}
	for i, name := range c.Legs {
		if r.Legs[i], err = k.host.Inspect(name); err != nil {
			return err
		}
	}
	if err := r.write(c.Name); err != nil {
		return err
	}
	for i, link := range r.Legs {
		if k.ports[i], err = openPort(c, i, link, k.host); err != nil {
			return err
		}
	}
	if err := k.load(c); err != nil {
		return err
	}
	for _, p := range k.ports {
		if err := p.setUp(); err != nil {
			return err
		}
	}
	return route(k.ports, c)
}

// load has the programs run.
func (k *Chain) load(c Config) error {
	p, err := loadProgram(c)
	if err != nil {
		return err
	}
	if err = p.attach(k.ports); err == nil {
		k.maps, k.links, err = p.files()
	}
	return errors.Join(err, p.close()) // the files go on
}

// AdoptChain takes over what another program of this process has opened, by its Files,
// which it owns; after an error, the caller does.
func AdoptChain(c Config, files []*os.File) (*Chain, error) {
	if len(files) != 1+mapFiles+linkFiles {
		return nil, fmt.Errorf("take over inline device %s: %d files, not %d", c.Name, len(files), 1+mapFiles+linkFiles)
	}
	host, err := netspace.OwnHost()
	if err != nil {
		return nil, fmt.Errorf("take over inline device %s: %w", c.Name, err)
	}
	return &Chain{name: c.Name, host: host, lock: files[0], maps: files[1 : 1+mapFiles], links: files[1+mapFiles:]}, nil
}

// Files returns all descriptors of the chain. They are borrowed.
func (k *Chain) Files() []*os.File {
	return append(append([]*os.File{k.lock}, k.maps...), k.links...)
}

// Shared returns those that [Join] needs. They are borrowed.
func (k *Chain) Shared() []*os.File { return k.maps }

// Stop does nothing: it is for processes to send nothing more.
func (k *Chain) Stop() error { return nil }

// Close gives the legs back to where they came from, as they were. Sessions that still pass
// break.
func (k *Chain) Close() error {
	all, err := lockAll()
	if err != nil {
		return err
	}
	defer all.close()
	return k.close()
}

// close undoes what open did, whatever it did; the caller holds the lock of all.
func (k *Chain) close() error {
	var errs []error
	for _, f := range append(k.links, k.maps...) {
		errs = append(errs, f.Close())
	}
	switch {
	case k.lock == nil: // there is another device of that name
	case k.ports == [2]*port{} && len(k.maps) > 0:
		errs = append(errs, reclaim(k.name, k.host, true))
	default:
		for _, p := range k.ports {
			if p != nil {
				errs = append(errs, p.close(k.host))
			}
		}
		if errors.Join(errs...) == nil { // the legs are back
			errs = append(errs, removeFiles(k.name))
		}
	}
	if k.lock != nil {
		errs = append(errs, k.lock.Close())
	}
	return errors.Join(append(errs, k.host.Close())...)
}

// route makes each port send to the device. It may be called again.
func route(ports [2]*port, c Config) error {
	for i, p := range ports {
		if err := p.route(ports[1-i].mac, c.Hops[i]); err != nil {
			return err
		}
	}
	return nil
}

// fileOf returns a descriptor once more, as a file.
func fileOf(fd int, name string) (*os.File, error) {
	twin, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", name, err)
	}
	return os.NewFile(uintptr(twin), name), nil
}
