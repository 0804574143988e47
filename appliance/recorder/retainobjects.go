package recorder

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// objects removes octets of objects that no class keeps, and of the oldest of a class that has
// too many.
func (k *keeper) objects(ctx context.Context, now, cut time.Time) (list []KeptStatus, err error) {
	p := &k.cfg.Retain
	before := func(c retain.Class) time.Time {
		if t := p.Of(c).Before(now); t.After(cut) {
			return t
		}
		return cut
	}
	received, sent, mail := before(retain.Received), before(retain.Sent), before(retain.Mail)
	first, err := k.archive.index.Kept(ctx, p)
	if err != nil {
		return nil, err
	}
	behind := trail.Hash{}
	for bounded := !received.IsZero() || !sent.IsZero() || !mail.IsZero(); bounded; {
		old, err := k.archive.index.Old(ctx, received, sent, mail, behind)
		if err != nil {
			return nil, err
		}
		if err := k.remove(ctx, old); err != nil {
			return nil, err
		}
		if bounded = len(old) == retain.Some; bounded {
			behind = old[len(old)-1].Hash
		}
	}
	kept, err := k.archive.index.Kept(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, c := range []retain.Class{retain.Received, retain.Sent, retain.Mail} {
		have := kept[c]
		for limit := p.Of(c).Size; limit > 0 && have.Size > limit; {
			some, err := k.archive.index.Oldest(ctx, p, c, have.Size-limit)
			if err != nil {
				return nil, err
			}
			if err := k.remove(ctx, some); err != nil {
				return nil, err
			}
			now, err := k.archive.index.Kept(ctx, p)
			if err != nil {
				return nil, err
			}
			if now[c].Size >= have.Size {
				break // what is left has to stay
			}
			have = now[c]
		}
		k.removed[c] += max(first[c].Size-have.Size, 0)
		list = append(list, KeptStatus{Class: c, Count: have.Objects, Octets: have.Size, Oldest: have.Oldest})
	}
	return list, nil
}

// remove removes objects.
func (k *keeper) remove(ctx context.Context, list []retain.Object) error {
	if len(list) == 0 {
		return ctx.Err()
	}
	if err := k.seal.removedObjects(list); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	sizes := make(map[trail.Hash]int64, len(list))
	for _, o := range list {
		sizes[o.Hash] = o.Size
	}
	gone, octets := 0, int64(0)
	err := k.archive.index.Remove(ctx, list, func(h trail.Hash) (bool, error) {
		is, err := k.archive.content.Remove(h)
		if is {
			gone++
			octets += sizes[h]
		}
		return is, err
	})
	k.cfg.Log.Info("contents removed, there are newer ones", "objects", gone, "octets", octets)
	return err
}

// build notes the objects of an archive that is older than its index, which was opened at some
// time.
func (a *Archive) build(ctx context.Context, opened time.Time) error {
	if built, err := a.index.Built(ctx, false); built || err != nil {
		return err
	}
	var list []retain.Seen
	note := func(more ...retain.Seen) error {
		if list = append(list, more...); len(list) < retain.Some {
			return nil
		}
		err := a.index.Note(ctx, list)
		list = list[:0]
		return err
	}
	err := eachEvent(ctx, a.Trail, trail.Question{}, func(x *trail.Full) error {
		b := trail.Batch{Events: []trail.Event{x.Event}, Sightings: x.Sightings}
		for _, o := range x.Objects {
			b.Objects = append(b.Objects, o)
		}
		return note(retain.SeenIn(&b)...)
	})
	if err == nil {
		err = a.index.Note(ctx, list)
	}
	if list = nil; err == nil {
		err = a.unknown(ctx, opened, note)
	}
	if err == nil {
		err = a.index.Note(ctx, list)
	}
	if err == nil {
		_, err = a.index.Built(ctx, true)
	}
	return err
}

// unknown notes objects that are in no row. Those of younger files get one soon.
func (a *Archive) unknown(ctx context.Context, opened time.Time, note func(...retain.Seen) error) error {
	return a.content.Each(func(hash [32]byte, info fs.FileInfo) error {
		known, err := a.index.Knows(ctx, hash)
		if known || err != nil || !info.ModTime().Before(opened) {
			return err
		}
		return note(retain.Seen{Hash: hash, Size: uint64(max(info.Size(), 1)), Class: retain.Received, At: info.ModTime()})
	})
}
