package health

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// diskInterval is how often a disk is asked for its room.
	diskInterval = 2 * time.Second
	// diskPatience is how long an answer may take. A server of files may be away.
	diskPatience = 30 * time.Second
	// A disk is short of room below shortage of its size, and has none below exhaustion.
	shortage, exhaustion = 0.05, 0.005
)

// FileSystem watches the room on the file system of one directory. It is safe for concurrent
// use.
type FileSystem struct {
	dir  *os.File
	last atomic.Pointer[room]
}

// room is what a file system has.
type room struct {
	free, size uint64  // octets that a user may have, and all
	files      float64 // share of the files that may still be made; 1 if they are not counted
	at         time.Time
	err        error
}

// OpenFileSystem opens the directory, which keeps its file system mounted until Run ends.
// So it can be watched without the right to reach the directory.
func OpenFileSystem(directory string) (*FileSystem, error) {
	dir, err := os.Open(directory)
	if err != nil {
		return nil, fmt.Errorf("watch disk: %w", err)
	}
	d := &FileSystem{dir: dir}
	d.look()
	return d, nil
}

// Run looks at the disk until ctx ends, and closes the directory. A disk that hangs keeps
// it from its end: wait for it only where none does. Call it once.
func (d *FileSystem) Run(ctx context.Context) {
	defer d.dir.Close()
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.look()
		}
	}
}

func (d *FileSystem) look() {
	var s unix.Statfs_t
	r := &room{}
	if r.err = unix.Fstatfs(int(d.dir.Fd()), &s); r.err == nil {
		unit := uint64(s.Frsize)
		if unit == 0 {
			unit = uint64(s.Bsize)
		}
		r.free, r.size, r.files = s.Bavail*unit, s.Blocks*unit, 1
		if s.Files > 0 {
			r.files = float64(s.Ffree) / float64(s.Files)
		}
	}
	r.at = time.Now()
	d.last.Store(r)
}

// Free returns the octets that may still be written, as last seen.
func (d *FileSystem) Free() uint64 { return d.last.Load().free }

// Probe is a [Probe]: degraded below 5 % of free room, down below 0.5 %.
func (d *FileSystem) Probe() Reading { return d.last.Load().judge(time.Now()) }

func (r *room) judge(now time.Time) Reading {
	free := 1.0
	if r.size > 0 {
		free = float64(r.free) / float64(r.size)
	}
	least, what := free, fmt.Sprintf("%.1f %% of the room is free, %d MiB", 100*free, r.free>>20)
	if r.files < free {
		least, what = r.files, fmt.Sprintf("%.1f %% of the files are free", 100*r.files)
	}
	switch {
	case r.err != nil:
		return Reading{State: Down, Why: r.err.Error(), Do: "Look at the file system and its disk."}
	case now.Sub(r.at) > diskPatience:
		return Reading{State: Down, Why: "the file system does not answer", Do: "Look at the file system and its disk."}
	case least < exhaustion:
		return Reading{State: Down, Why: what}
	case least < shortage:
		return Reading{State: Degraded, Why: what}
	}
	return Reading{}
}
