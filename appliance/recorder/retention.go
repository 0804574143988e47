package recorder

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

const (
	keepFirst = time.Second // from the start to the first look at what is too old
	keepEvery = time.Minute // between two of them, and at least
	keepShare = 50          // times what the last one took
)

// wakeKeeper has a look at what is too old be made soon.
func (r *Recorder) wakeKeeper() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// keep removes what is too old, or too much, until the context ends.
func (r *Recorder) keep(ctx context.Context) {
	k := keeper{Recorder: r, removed: make(map[retain.Class]int64)}
	failing := false
	rest, pause := keepFirst, keepFirst // until the next look, and the least time until then
	for {
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-r.wake:
			timer.Stop()
			if wait(ctx, pause); ctx.Err() != nil {
				return
			}
		}
		began := time.Now()
		err := k.look(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			r.cfg.Log.Error("retention failed, it is tried again", "err", err)
		}
		failing = err != nil
		took := time.Since(began)
		rest, pause = max(keepEvery, took*keepShare), max(keepFirst, took*keepShare/10)
	}
}

// wait waits, or until the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// keeper removes what is too old.
type keeper struct {
	*Recorder
	removed map[retain.Class]int64 // octets
	samples []sample
	held    []period // packets of cases, which were not copied
}

// holdCases has open cases take what they ask for, before anything is removed.
func (k *keeper) holdCases(ctx context.Context) error {
	list, err := Cases(k.cfg.Directory)
	if err != nil {
		return err
	}
	k.held = nil
	for i := range list {
		if list[i].Closed != nil {
			continue
		}
		h, err := k.archive.holding(ctx, k.cfg.Directory, &list[i])
		if err != nil {
			return fmt.Errorf("%s: %w", list[i].Name, err)
		}
		k.held = append(k.held, h.periods...)
	}
	return nil
}

// holds reports whether a volume has packets of a case.
func (k *keeper) holds(v *volume.Summary) bool {
	for _, p := range k.held {
		if v.Last.IsZero() || !v.Last.Before(p.from.Add(-slack)) && !v.First.After(p.to.Add(slack)) {
			return true
		}
	}
	return false
}

// look looks at everything once.
func (k *keeper) look(ctx context.Context) error {
	if err := k.archive.build(ctx, k.started); err != nil {
		return fmt.Errorf("list the objects: %w", err)
	}
	now := time.Now()
	unlock, err := lockKeeping(k.cfg.Directory, false)
	if errors.Is(err, unix.EAGAIN) {
		return nil // a case is opened; the next look is soon
	}
	if err != nil {
		return err
	}
	defer unlock()
	open, unread := k.needed.from.Load(), k.needed.to.Load() // before all else: more may be read meanwhile
	if err := k.holdCases(ctx); err != nil {
		return fmt.Errorf("cases: %w", err)
	}
	kept, err := k.volumesToKeep(now, open, unread)
	if err != nil {
		return fmt.Errorf("packets: %w", err)
	}
	days, cut, err := k.days(ctx, now)
	if err != nil {
		return fmt.Errorf("trail: %w", err)
	}
	objects, err := k.objects(ctx, now, cut)
	if err != nil {
		return fmt.Errorf("contents: %w", err)
	}
	k.account(now, append([]KeptStatus{kept}, append(objects, days)...))
	return nil
}

// reach says which volumes the analysis needs. It is safe for concurrent use.
type reach struct {
	from atomic.Uint64 // the first one of sessions that are open; 0: not known yet
	to   atomic.Uint64 // the first one that was not read to its end
}

func (r *reach) set(c analyst.Cursor) {
	r.from.Store(volume.Mark(c.From).Number())
	r.to.Store(volume.Mark(c.To).Number())
}

// patience is how much longer volumes are kept in which a session began that is open yet: a
// recorder that starts again reads it from its beginning.
const patience = 24 * time.Hour

// volumesToKeep removes volumes that nobody needs any more: those before open, the first one
// of a session that is open. Those before unread may go, too, if there are a quarter too many.
func (k *keeper) volumesToKeep(now time.Time, open, unread uint64) (kept KeptStatus, err error) {
	kept.Class = retain.Packets
	dir := filepath.Join(k.cfg.Directory, volumeDir)
	list, err := volume.List(dir)
	if err != nil {
		return kept, err
	}
	locked := 0
	for _, v := range list {
		kept.Octets += v.Size
		kept.Count++
		if v.Unread {
			locked++
		}
	}
	limit := k.cfg.Retain.Packets
	before := limit.Before(now)
	for _, v := range list {
		last := v.Last
		if last.IsZero() {
			last = now // its frames have no times
		}
		old := v.Number < open && (kept.Octets > limit.Size || last.Before(before)) ||
			v.Number < unread && (kept.Octets > limit.Size+limit.Size/4 || last.Before(before.Add(-patience)))
		if !old || k.holds(&v) {
			if kept.Oldest.IsZero() {
				kept.Oldest = v.First
			}
			continue
		}
		if err := k.seal.removed(v); err != nil {
			return kept, fmt.Errorf("seal: %w", err)
		}
		if err := volume.Remove(dir, v.Number); err != nil {
			return kept, err
		}
		k.cfg.Log.Info("packets removed, there are newer ones", "volume", v.Number, "first", v.First, "last", v.Last)
		k.removed[retain.Packets] += v.Size
		kept.Octets -= v.Size
		kept.Count--
		if v.Unread {
			locked--
		}
	}
	k.mu.Lock()
	k.status.Volumes, k.status.Packets, k.status.Unread = int(kept.Count), kept.Octets, locked
	k.mu.Unlock()
	return kept, nil
}

// days removes days of the trail. The newest stays unless it is too old. Objects that were
// last seen before cut are in no row any more.
func (k *keeper) days(ctx context.Context, now time.Time) (kept KeptStatus, cut time.Time, err error) {
	kept.Class = retain.Trail
	list, err := k.archive.Trail.Sizes(ctx)
	if err != nil {
		return kept, cut, err
	}
	for _, d := range list {
		kept.Octets += d.Size
	}
	limit := k.cfg.Retain.Trail
	before := limit.Before(now)
	cut = before.Truncate(24 * time.Hour)
	for i, d := range list {
		end := d.Start().AddDate(0, 0, 1)
		if end.After(before) && (limit.Size <= 0 || kept.Octets <= limit.Size || i == len(list)-1) {
			kept.Count, kept.Oldest = int64(len(list)-i), d.Start()
			break
		}
		if err := k.seal.removedDay(d.Date, d.Size); err != nil {
			return kept, cut, fmt.Errorf("seal: %w", err)
		}
		if err := k.archive.Trail.Forget(ctx, d.Date); err != nil {
			return kept, cut, err
		}
		k.cfg.Log.Info("day of the trail removed, there are newer ones", "day", d.Date)
		k.removed[retain.Trail] += d.Size
		kept.Octets -= d.Size
		if end.After(cut) {
			cut = end
		}
	}
	return kept, cut, nil
}
