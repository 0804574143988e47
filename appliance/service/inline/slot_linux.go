package inline

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
)

// slot is the place of a process among those that send through a device: the programs give
// it what it has announced.
type slot uint8

// takeSlot has the programs give connections to two listeners, IPv4 first. The slot is free
// again when they are closed, and if the process dies.
func takeSlot(m kernelMaps, listeners [2]*os.File) (slot, error) {
	for s := range slot(m.Listeners.MaxEntries() / 2) {
		switch err := enlist(m.Listeners, s, listeners); {
		case err == nil:
			return s, forget(m.Expected, s)
		case !errors.Is(err, ebpf.ErrKeyExist):
			return 0, fmt.Errorf("enlist listener: %w", err)
		}
	}
	return 0, errors.New("enlist listener: too many processes use the device")
}

// enlist returns ebpf.ErrKeyExist if the slot is taken.
func enlist(m *ebpf.Map, s slot, listeners [2]*os.File) error {
	for i, l := range listeners {
		raw, err := l.SyscallConn()
		if err == nil {
			var failed error
			err = raw.Control(func(fd uintptr) { failed = m.Update(uint32(2*int(s)+i), uint64(fd), ebpf.UpdateNoExist) })
			err = errors.Join(err, failed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget removes what a dead process of the slot has announced.
func forget(expected *ebpf.Map, s slot) error {
	var stale []kernelTuple
	var t kernelTuple
	var of slot
	all := expected.Iterate()
	for all.Next(&t, &of) {
		if of == s {
			stale = append(stale, t)
		}
	}
	if err := all.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) { // others announce meanwhile
		return fmt.Errorf("list announced connections: %w", err)
	}
	for _, t := range stale {
		expected.Delete(t) // gone is gone
	}
	return nil
}
