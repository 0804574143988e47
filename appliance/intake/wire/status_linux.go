package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/ebpf"

	"github.com/clearspan/clearspan/appliance/netspace"
)

// Status is how a wire stands.
type Status struct {
	Name     string
	Legs     [2]string
	Takeover string
	Down     string
	Link     string
	DownLeg  string `json:"Held"` // the leg that is down since the other one has no carrier; "": none
	Attached bool   // programs are at work on both legs
	Running  bool   // a process runs it
	Taking   bool   // and takes connections now
	Flows    int    // that the programs know
	Paths    map[string]uint64
}

// List returns the names of the wires of this machine, sorted.
func List() ([]string, error) {
	entries, err := os.ReadDir(stateDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list wires: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// Inspect tells how a wire stands, whoever runs it. It returns fs.ErrNotExist if
// there is none of that name.
func Inspect(name string) (*Status, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(recordFile(name)); err != nil { // a machine without wires stays one without their directory
		return nil, err
	}
	all, err := lockAll() // or a start would find the wire in use, by us
	if err != nil {
		return nil, err
	}
	defer all.close()
	record, err := readRecord(name)
	if err != nil {
		return nil, err
	}
	s := &Status{
		Name: name, Legs: [2]string{record.Legs[0].Name, record.Legs[1].Name},
		Takeover: record.Takeover, Down: record.Down, Link: record.Link, DownLeg: record.DownLeg,
	}
	if s.Link == "" {
		s.Link = string(Each)
	}
	l, err := lockOne(name)
	switch {
	case err == nil:
		l.close()
	case errors.Is(err, ErrInUse):
		s.Running = true
	default:
		return nil, err
	}
	s.Attached = true
	for _, hook := range []string{"leg0-ingress", "leg0-egress", "leg1-ingress", "leg1-egress"} {
		if _, err := os.Stat(filepath.Join(pinDir(name), hook)); err != nil {
			s.Attached = false
		}
	}
	if !s.Attached {
		return s, nil
	}
	return s, s.readMaps(time.Duration(record.Stall))
}

// readMaps reads what the programs share.
func (s *Status) readMaps(stall time.Duration) error {
	open := func(name string) (*ebpf.Map, error) {
		return ebpf.LoadPinnedMap(filepath.Join(pinDir(s.Name), name), &ebpf.LoadPinOptions{ReadOnly: true})
	}
	paths, err := open(kernelMapPaths)
	if err != nil {
		return fmt.Errorf("read counters of wire: %w", err)
	}
	defer paths.Close()
	if s.Paths, err = readPaths(paths); err != nil {
		return err
	}
	beats, err := open(kernelMapHeartbeat)
	if err != nil {
		return fmt.Errorf("read heartbeat of wire: %w", err)
	}
	defer beats.Close()
	s.Taking = s.Running
	limit := uint64(stall)
	for i := int(beats.MaxEntries()) - 1; i >= 0; i-- {
		var beat uint64
		if err := beats.Lookup(uint32(i), &beat); err != nil {
			return fmt.Errorf("read heartbeat of wire: %w", err)
		}
		fresh := beat != 0 && monotonic()-beat < limit
		if i == int(beats.MaxEntries())-1 { // the process; a loop may be late while it runs
			if fresh {
				limit = max(limit, uint64(lateLoopLimit))
			}
			continue
		}
		s.Taking = s.Taking && fresh
	}
	for _, name := range []string{kernelMapFlows, kernelMapOpened} {
		flows, err := open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // programs of an older version
		}
		if err != nil {
			return fmt.Errorf("count flows of wire: %w", err)
		}
		var t kernelTuple
		var f kernelFlow
		for all := flows.Iterate(); all.Next(&t, &f); {
			s.Flows++
		}
		flows.Close()
	}
	return nil
}

// pathNames are the words of [Status.Paths], in the order of the programs.
var pathNames = [...]string{
	"not-ip",       // Passed: not IP, such as ARP, LLDP, STP or a second VLAN tag.
	"tag",          // Passed: a VLAN tag that is not 802.1Q.
	"not-tcp",      // Passed: another protocol than TCP.
	"fragment",     // Passed: an IP fragment.
	"extension",    // Passed: IPv4 options or IPv6 extension headers.
	"malformed",    // Passed: lengths that do not fit.
	"unselected",   // Passed: a port that `ports` does not select.
	"exempt",       // Passed: an address that the wire leaves alone.
	"untracked",    // Passed: of no connection that the wire knows.
	"handshake",    // Passed: before the client's first payload.
	"down",         // Passed: clearspan does not run or stands still, and `down` is `wire`.
	"no-socket",    // Passed: the socket of a taken connection is gone, and the wire is not strict.
	"other-tag",    // Passed: the same addresses and ports on another VLAN.
	"overrun",      // Passed: the ring to clearspan is full, and the wire is not strict.
	"expired",      // Passed: clearspan did not decide in time, and the wire is not strict.
	"passed",       // Passed: a connection that the wire leaves alone for good.
	"checksum",     // Passed: a wrong checksum, and the wire is not strict.
	"unacceptable", // Passed: a segment that its receiver would not accept, and the wire is not strict.
	"accepted",     // Taken: the SYN of a new connection.
	"diverted",     // Taken: a frame of a taken connection.
	"held",         // Held: clearspan has a copy and decides.
	"held-excess",  // Dropped: more than clearspan holds. TCP sends it again.
	"blocked",      // Dropped: clearspan does not run or stands still, and `down` is `block`.
	"syn-payload",  // Dropped: payload in a SYN (TCP Fast Open). The client sends it again without.
	"syn-excess",   // Dropped: too many new connections of one address. The client sends the SYN again.
	"quic-blocked", // Answered by ICMP: QUIC that `quic: block` or a rule refuses.
	"quic-held",    // Held: clearspan judges the QUIC flow.
	"sent",         // Sent by clearspan.
	"replayed",     // Sent again after it was held.
	"own",          // Dropped: not TCP, from this machine.
	"no-flow",      // Dropped: from this machine, for no known connection.
	"wrong-leg",    // Dropped: from this machine, routed to the wrong leg.
	"copied",       // Copied to the mirror port.
	"copy-failed",  // The copy to the mirror port failed.
	"quic-unseen",  // Besides: QUIC that clearspan had no room to judge. The wire refused it, or dropped it so that it comes again.
}

// Words for flows that are decided at their first payload.
const (
	// Connections that clearspan took at their first payload.
	flowTaken = "flow-taken"
	// Connections that the policy left alone.
	flowPassed = "flow-passed"
	// Connections that passed undecided: the first octets were too many or came too late.
	flowUndecided = "flow-undecided"
	// Connections that clearspan could not take, and frames that it could not send again.
	flowFailed = "flow-failed"
)

// droppedPaths are how many of the paths, from the first on, have a second counter
// behind all others: of frames that were dropped for that cause.
const droppedPaths = int(kernelWirePathPATH_ACCEPTED)

// pathName returns the word of a counter.
func pathName(i int) string {
	if i < len(pathNames) {
		return pathNames[i]
	}
	return pathNames[i-len(pathNames)] + droppedSuffix
}

// droppedSuffix ends the words of what is dropped because it cannot be judged.
const droppedSuffix = "-dropped"

// readPaths sums the counters over all processors.
func readPaths(m *ebpf.Map) (map[string]uint64, error) {
	all := make(map[string]uint64, len(pathNames)+droppedPaths)
	var each []uint64
	for i := range len(pathNames) + droppedPaths {
		if err := m.Lookup(uint32(i), &each); err != nil {
			if errors.Is(err, ebpf.ErrKeyNotExist) {
				continue // programs of an older version
			}
			return nil, fmt.Errorf("read counters of wire: %w", err)
		}
		for _, n := range each {
			all[pathName(i)] += n
		}
	}
	for i := range droppedPaths {
		switch name := pathName(len(pathNames) + i); pathNames[i] {
		case "not-ip", "not-tcp", "unselected", "exempt", "handshake", "down", "passed":
			delete(all, name) // no causes to drop anything
		}
	}
	return all, nil
}

// Remove undoes a wire: the programs are detached, the legs are back in the
// network namespace of the process, as they were. It returns ErrInUse while a
// process runs the wire, and fs.ErrNotExist if there is none of that name.
func Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if _, err := os.Lstat(recordFile(name)); errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all, err := lockAll()
	if err != nil {
		return err
	}
	defer all.close()
	record, err := readRecord(name)
	if err != nil {
		return err
	}
	one, err := lockOne(name)
	if err != nil {
		return err
	}
	defer one.close()
	return removeWire(name, record)
}

// removeWire does what Remove says; the caller holds the locks.
func removeWire(name string, record *record) error {
	var errs []error
	n, err := enterNamespace(name, false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		errs = append(errs, err)
	default:
		for _, l := range record.Legs {
			errs = append(errs, n.releaseLeg(l))
		}
		errs = append(errs, n.removeCopies())
		n.Close()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove wire %s: %w", name, err)
	}
	errs = append(errs, removePins(name), netspace.Remove(namespaceName(name)))
	for _, l := range record.Legs {
		errs = append(errs, restoreLeg(l))
	}
	errs = append(errs, os.Remove(recordFile(name)), os.Remove(lockFile(name)))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove wire %s: %w", name, err)
	}
	return nil
}
