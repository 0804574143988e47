package appliance

import (
	"math"
	"runtime/debug"

	"github.com/clearspan/clearspan/appliance/collector"
	"github.com/clearspan/clearspan/appliance/headroom"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// openHeadroom finds out what the process may take, and has the Go runtime and the
// engines keep to it.
func (a *Appliance) openHeadroom() (err error) {
	limits := a.cfg.Limits
	if a.headroom, err = headroom.New(headroom.Config{Memory: limits.Memory, Open: func() int { return a.limiter.Open() }}); err != nil {
		return err
	}
	goal := int64(min(a.headroom.Goal(), math.MaxInt64))
	if goal < debug.SetMemoryLimit(-1) { // GOMEMLIMIT may be lower
		debug.SetMemoryLimit(goal)
	}
	decrypt.LimitBuffers(a.headroom.Buffers())
	pacer := collector.Start(a.headroom.Floor())
	a.closers.push("memory", func() error { pacer.Stop(); return nil })
	limit, whose := a.headroom.Limit()
	a.log.Info("memory limit", "octets", limit, "scope", whose, "overload", string(limits.Overload))
	return a.metrics.Memory(a.headroom.Used, func() uint64 {
		limit, _ := a.headroom.Limit()
		return limit
	})
}

// room is the [intake.Room] of all intakes.
func (a *Appliance) room() (refused intake.Event, ok bool) {
	level, short := a.headroom.Level()
	if level == headroom.None || level == headroom.Short && !a.engine.Load().relieves {
		if short == "descriptors" {
			return intake.DescriptorsShort, false
		}
		return intake.MemoryShort, false
	}
	a.headroom.Began()
	return 0, true
}

// overload is the name in the rule's place in decisions that want of room made.
const overload = "overload"

// relief tunnels what would be decrypted while there is no room for that.
type relief struct {
	*policy.Table
	level func() (level headroom.Level, short string)
}

// Decide implements [decrypt.Policy].
func (r relief) Decide(f *policy.Facts) policy.Decision {
	d := r.Table.Decide(f)
	if d.Action != policy.Bump || d.Pending { // it is asked again
		return d
	}
	if level, _ := r.level(); level == headroom.Ample {
		return d
	}
	d.Rule, d.Action = overload, policy.Tunnel
	return d
}
