package recorder

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// DiskStatus is of the disk that a recorder writes to.
type DiskStatus struct {
	Octets  int64   `json:"octets"`
	Free    int64   `json:"free_octets"`
	Stopped string  `json:"stopped,omitempty"` // what is not kept, because too little is free
	Days    float64 `json:"days,omitempty"`    // until it is full, at the rate of the last 24 h; 0: see Holds
	Holds   bool    `json:"holds"`             // the bounds keep it from being full
}

// diskLevel is what a full disk has stopped. It is safe for concurrent use.
type diskLevel struct{ level atomic.Int32 }

func (d *diskLevel) at() retain.Level { return retain.Level(d.level.Load()) }

// keeps reports whether contents of a direction are kept.
func (d *diskLevel) keeps(direction trail.Direction) bool {
	if direction == trail.Received {
		return d.at() < retain.NoReceived
	}
	return d.at() < retain.NoSent
}

// errFull says that rows wait until the disk has room.
var errFull = errors.New("too little of the disk is free")

// watchDisk stops what the disk has no room for, and goes on with it later. Both is told, and
// is in the chain of evidence.
func (r *Recorder) watchDisk() {
	var st unix.Statfs_t
	if err := unix.Statfs(r.cfg.Directory, &st); err != nil {
		r.cfg.Log.Debug("disk cannot be looked at", "err", err)
		return
	}
	free, all := int64(st.Bavail)*st.Bsize, int64(st.Blocks)*st.Bsize
	was := r.level.at()
	level := r.cfg.Retain.LevelOf(free, all, was)
	r.mu.Lock()
	r.status.Disk.Octets, r.status.Disk.Free, r.status.Disk.Stopped = all, free, ""
	if level > retain.Free {
		r.status.Disk.Stopped = level.String()
	}
	r.mu.Unlock()
	if level == was {
		return
	}
	r.level.level.Store(int32(level))
	r.volumes.Pause(level >= retain.NoPackets)
	if level > was {
		r.cfg.Log.Error("disk is nearly full, not everything is kept", "stopped", level.String(), "free", free)
	} else {
		r.cfg.Log.Info("disk has room again", "stopped", level.String(), "free", free)
	}
	what := level
	if level < was {
		what = was
	}
	if err := r.seal.level(level > was, what.String()); err != nil {
		r.cfg.Log.Error("chain of evidence cannot be written", "err", err)
	}
	r.wakeKeeper()
}

// keeping notes the objects of rows, before the rows are kept.
type keeping struct {
	*Archive
	level *diskLevel // nil: nobody looks at the disk
}

// Write implements [analyst.Output].
func (k keeping) Write(ctx context.Context, b *trail.Batch) error {
	if k.level != nil && k.level.at() >= retain.NoTrail {
		return errFull
	}
	if err := k.index.Note(ctx, retain.SeenIn(b)); err != nil {
		return err
	}
	return k.Trail.Write(ctx, b)
}
