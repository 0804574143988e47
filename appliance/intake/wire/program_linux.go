package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/intake"
	"golang.org/x/sys/unix"
)

// Places of what outlives the process. The file system is mounted by us,
// because `ip netns exec` hides the usual one.
const (
	stateDir = "/run/clearspan/wire"
	bpfDir   = "/run/clearspan/bpf"
)

// pinDir holds the pins of a wire.
func pinDir(name string) string { return filepath.Join(bpfDir, name) }

// pinnedMaps are kept for Status, which another process calls.
var pinnedMaps = []string{kernelMapPaths, kernelMapHeartbeat, kernelMapListeners}

// sharedMaps are what the programs know of flows. They are pinned for [Status], and for a
// process that takes over while this one lets its sessions end.
var sharedMaps = []string{
	kernelMapSyns, kernelMapOpened, kernelMapFlows, kernelMapClosing, kernelMapPassed, kernelMapSources, kernelMapQuicFlows,
}

// program is what runs in the kernel.
type program struct {
	kernelObjects
	links      []link.Link
	rings      []*ebpf.Map // of held frames, one of a shard
	attached   atomic.Bool // links does not change any more
	reattached bool        // links of an earlier process were found and taken over
}

// openPassed opens the map of flows that pass for good, which an earlier process
// has left. It returns nil if there is none, or one of another layout.
func openPassed(name string, spec *ebpf.MapSpec) *ebpf.Map {
	m, err := ebpf.LoadPinnedMap(filepath.Join(pinDir(name), kernelMapPassed), nil)
	if err != nil {
		return nil
	}
	if spec.Compatible(m) != nil {
		m.Close()
		return nil
	}
	return m
}

// loadProgram loads the programs for the legs of these indexes. join has them share what
// those of another process know.
func loadProgram(name string, c Config, indexes [2]int, copies copies, join bool) (*program, error) {
	spec, err := loadKernel()
	if err != nil {
		return nil, err
	}
	spec.Maps[kernelMapFlows].MaxEntries = uint32(c.Sessions + pendingFlows)
	shards, beats := shardCount(c), 2
	if c.Takeover == Late {
		beats = shards
	}
	rings := spec.Maps[kernelMapRings]
	rings.MaxEntries, rings.InnerMap.MaxEntries = uint32(shards), uint32(limitsOf(shards).ring)
	spec.Maps[kernelMapHeartbeat].MaxEntries = uint32(beats + 1)
	grace := monotonic() + uint64(c.Grace)
	var o ebpf.CollectionOptions
	switch m := openPassed(name, spec.Maps[kernelMapPassed]); {
	case join:
		if m != nil {
			m.Close()
		}
		if o.MapReplacements, err = openShared(name, spec.Maps); err != nil {
			return nil, err
		}
		defer closeMaps(o.MapReplacements)
		grace = 0
	case m != nil:
		defer m.Close()
		o.MapReplacements = map[string]*ebpf.Map{kernelMapPassed: m}
		grace = 0
	}
	for name, value := range map[string]any{
		kernelVarLegs:          [2]uint32{uint32(indexes[0]), uint32(indexes[1])},
		kernelVarLate:          b2u(c.Takeover == Late),
		kernelVarBlock:         b2u(c.Down == intake.DownBlock),
		kernelVarCopyTo:        uint32(copies.inner),
		kernelVarCopyOut:       uint32(copies.port),
		kernelVarCopyPlain:     b2u(c.Copy.Plain),
		kernelVarCopyTunneled:  b2u(c.Copy.Tunneled),
		kernelVarCopyOther:     b2u(c.Copy.Other),
		kernelVarRefuse:        b2u(c.QUIC == intake.BlockQUIC),
		kernelVarPeek:          b2u(c.judgesQUIC),
		kernelVarQuicLimit:     uint64(quicRefuseAfter),
		kernelVarQuicMemory:    uint64(quicRefusalLifetime),
		kernelVarEveryPort:     b2u(len(c.Ports) == 0),
		kernelVarStrict:        b2u(!c.Open),
		kernelVarOverrunPasses: b2u(c.Overload == admission.Tunnel || c.Open),
		kernelVarGraceEnd:      grace,
		kernelVarBeatLimit:     uint64(c.Stall),
		kernelVarBusyLimit:     uint64(c.loopLimit()),
		kernelVarProcessBeat:   uint32(beats),
		kernelVarHoldLimit:     uint64(holdLimit),
		kernelVarHoldOctets:    uint32(flightLimit),
		kernelVarShards:        uint32(shards),
		kernelVarShardSeed:     rand.Uint32(), // so that nobody chooses a shard
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("set %s of wire program: %w", name, err)
		}
	}
	p := new(program)
	if err := spec.LoadAndAssign(&p.kernelObjects, &o); err != nil {
		return nil, fmt.Errorf("load wire program: %w", err)
	}
	if err := p.openRings(rings); err != nil {
		return nil, errors.Join(err, p.close())
	}
	for i, bits := range portBits(c.Ports) {
		if bits == 0 {
			continue
		}
		if err := p.Ports.Put(uint32(i), bits); err != nil {
			return nil, errors.Join(fmt.Errorf("set ports of wire program: %w", err), p.close())
		}
	}
	return p, nil
}

func b2u(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// attach puts the programs to work on the legs, in the place of those of an
// earlier process if their links are pinned. It runs in the namespace.
func (p *program) attach(name string, indexes [2]int, accept bool) error {
	dir := pinDir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create directory of pins: %w", err)
	}
	for _, m := range slices.Concat(pinnedMaps, sharedMaps) {
		path := filepath.Join(dir, m)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove pin of an earlier process: %w", err)
		}
	}
	for name, m := range map[string]*ebpf.Map{
		kernelMapPaths: p.Paths, kernelMapHeartbeat: p.kernelMaps.Heartbeat, kernelMapListeners: p.Listeners,
		kernelMapSyns: p.Syns, kernelMapOpened: p.Opened, kernelMapFlows: p.Flows, kernelMapClosing: p.Closing,
		kernelMapPassed: p.Passed, kernelMapSources: p.Sources, kernelMapQuicFlows: p.QuicFlows,
	} {
		if err := m.Pin(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("pin map %s: %w", name, err)
		}
	}
	for i, index := range indexes {
		for _, half := range []struct {
			word string
			at   ebpf.AttachType
			prog *ebpf.Program
		}{{"egress", ebpf.AttachTCXEgress, p.WireEgress}, {"ingress", ebpf.AttachTCXIngress, p.WireIngress}} {
			at := link.TCXOptions{Interface: index, Program: half.prog, Attach: half.at}
			err := p.attachLink(filepath.Join(dir, fmt.Sprintf("leg%d-%s", i, half.word)), half.prog, func() (link.Link, error) {
				return link.AttachTCX(at)
			})
			if err != nil {
				return fmt.Errorf("attach wire program to leg %d %s: %w", i, half.word, err)
			}
		}
	}
	lookup := filepath.Join(dir, "lookup")
	if !accept {
		if err := os.Remove(lookup); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove pin of an earlier process: %w", err)
		}
		return nil
	}
	err := p.attachLink(lookup, p.WireLookup, func() (link.Link, error) {
		ns, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return nil, err
		}
		defer ns.Close()
		return link.AttachNetNs(int(ns.Fd()), p.WireLookup)
	})
	if err != nil {
		return fmt.Errorf("attach wire program to socket look-up: %w", err)
	}
	return nil
}

// attachLink replaces the program of the link that is pinned at path. If there is
// none, or its interface is gone, it makes one and pins it.
func (p *program) attachLink(path string, prog *ebpf.Program, attach func() (link.Link, error)) error {
	l, err := link.LoadPinnedLink(path, nil)
	if err == nil {
		if err = l.Update(prog); err == nil {
			p.reattached = true
			p.links = append(p.links, l)
			return nil
		}
		l.Close()
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove stale pin: %w", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open pinned link: %w", err)
	}
	if l, err = attach(); err != nil {
		return err
	}
	if err := l.Pin(path); err != nil {
		l.Close()
		return fmt.Errorf("pin link: %w", err)
	}
	p.links = append(p.links, l)
	return nil
}

// close lets go of the programs; what is pinned stays at work.
func (p *program) close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	for _, ring := range p.rings {
		errs = append(errs, ring.Close())
	}
	return errors.Join(append(errs, p.kernelObjects.Close())...)
}

// mountPins mounts the file system of pins unless it is there.
func mountPins() error {
	if err := os.MkdirAll(bpfDir, 0o700); err != nil {
		return fmt.Errorf("create directory of pins: %w", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(bpfDir, &st); err != nil {
		return fmt.Errorf("look at %s: %w", bpfDir, err)
	}
	if st.Type == unix.BPF_FS_MAGIC {
		return nil
	}
	if err := unix.Mount("bpf", bpfDir, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return fmt.Errorf("mount bpf on %s: %w", bpfDir, err)
	}
	return nil
}

// removePins removes the pins of a wire, which detaches its programs, and
// unmounts the file system if no wire is left.
func removePins(name string) error {
	if err := os.RemoveAll(pinDir(name)); err != nil {
		return fmt.Errorf("remove pins: %w", err)
	}
	entries, err := os.ReadDir(bpfDir)
	if err != nil {
		return nil // there is none
	}
	for _, e := range entries {
		if e.IsDir() { // of another wire; files are the kernel's own
			return nil
		}
	}
	if err := unix.Unmount(bpfDir, 0); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("unmount %s: %w", bpfDir, err)
	}
	return nil
}

// setListener shows the programs a listener, 0 for IPv4 and 1 for IPv6.
func (p *program) setListener(i int, l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return fmt.Errorf("enlist listener: %w", err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = p.Listeners.Put(uint32(i), uint64(fd)) })
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("enlist listener: %w", err)
	}
	return nil
}

// alwaysExempt are prefixes that are exempt in any case: link-local addresses mean
// nothing without an interface, groups have no TCP.
var alwaysExempt = []netip.Prefix{
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("224.0.0.0/4"),
}

// setExempt makes the set of exempt addresses what is given.
func (p *program) setExempt(exempt intake.Exempt) error {
	if n := len(exempt.Clients) + len(exempt.Origins); n > MaxExempt {
		return fmt.Errorf("set exempt addresses: %d prefixes, at most %d", n, MaxExempt)
	}
	want := make(map[kernelPrefix]bool)
	for end, prefixes := range [][]netip.Prefix{exempt.Clients, exempt.Origins} {
		for _, x := range append(prefixes[:len(prefixes):len(prefixes)], alwaysExempt...) {
			if !x.IsValid() {
				return fmt.Errorf("set exempt addresses: %s is not a prefix", x)
			}
			k := kernelPrefix{Length: uint32(32 + x.Bits()), End: uint32(end), Address: addrWords(x.Masked().Addr())}
			if x.Addr().Is4() {
				k.Length += 96
			}
			want[k] = true
		}
	}
	var stale []kernelPrefix
	var k kernelPrefix
	var v uint8
	all := p.Exempt.Iterate()
	for all.Next(&k, &v) {
		if !want[k] {
			stale = append(stale, k)
		}
	}
	if err := all.Err(); err != nil {
		return fmt.Errorf("read exempt addresses: %w", err)
	}
	for k := range want {
		if err := p.Exempt.Put(k, uint8(1)); err != nil {
			return fmt.Errorf("set exempt addresses: %w", err)
		}
	}
	for _, k := range stale {
		if err := p.Exempt.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("set exempt addresses: %w", err)
		}
	}
	return nil
}
