package engine

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ring is the buffer of a sender: a file in memory (memfd_create(2)) that both ends map. The
// receiver reads octets where the sender has put them. Its size is sealed: no end can cut it
// while the other one reads.
type ring struct {
	octets []byte
	file   *os.File // nil at the receiver
}

const maxRing = 1 << 30

// newRing returns an empty ring.
func newRing(size uint64) (*ring, error) {
	page := uint64(os.Getpagesize())
	size = (min(max(size, minBuffer), maxRing) + page - 1) / page * page
	fd, err := unix.MemfdCreate("sessions", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "sessions")
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, errors.Join(fmt.Errorf("make file in memory: %w", err), f.Close())
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, sealed); err != nil {
		return nil, errors.Join(fmt.Errorf("seal file in memory: %w", err), f.Close())
	}
	p, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map file in memory: %w", err), f.Close())
	}
	return &ring{p, f}, nil
}

const sealed = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// mapRing maps the ring of a sender, which may be hostile. It closes the descriptor.
func mapRing(fd int) (*ring, error) {
	defer unix.Close(fd)
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&unix.F_SEAL_SHRINK == 0 {
		return nil, errors.New("the buffer of an engine is no sealed file in memory")
	}
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return nil, err
	}
	if s.Size < minBuffer || s.Size > maxRing {
		return nil, fmt.Errorf("the buffer of an engine has %d octets", s.Size)
	}
	p, err := unix.Mmap(fd, 0, int(s.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the buffer of an engine: %w", err)
	}
	return &ring{octets: p}, nil
}

// put copies p to a place, around the end of the ring.
func (r *ring) put(at uint64, p []byte) {
	for len(p) > 0 {
		n := copy(r.octets[at%uint64(len(r.octets)):], p)
		p = p[n:]
		at += uint64(n)
	}
}

// get returns n octets of a place: those of the ring, or a copy in scratch if they lie around its
// end.
func (r *ring) get(at uint64, n int, scratch []byte) []byte {
	i := int(at % uint64(len(r.octets)))
	if i+n <= len(r.octets) {
		return r.octets[i : i+n]
	}
	first := copy(scratch[:n], r.octets[i:])
	copy(scratch[first:n], r.octets)
	return scratch[:n]
}

// close gives the memory back. Nobody may use it any more.
func (r *ring) close() error {
	err := unix.Munmap(r.octets)
	r.octets = nil
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	return err
}
