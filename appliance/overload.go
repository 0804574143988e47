package appliance

import (
	"math"
	"runtime/debug"

	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/gcpace"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// openAdmission finds out what the process may take, and has the Go runtime and the
// engines keep to it.
func (a *Appliance) openAdmission() (err error) {
	limits := a.cfg.Limits
	if a.admission, err = admission.New(admission.Config{Memory: limits.Memory, Open: func() int { return a.limiter.Open() }}); err != nil {
		return err
	}
	goal := int64(min(a.admission.Goal(), math.MaxInt64))
	if goal < debug.SetMemoryLimit(-1) { // GOMEMLIMIT may be lower
		debug.SetMemoryLimit(goal)
	}
	decrypt.LimitBuffers(a.admission.Buffers())
	pacer := gcpace.Start(a.admission.Floor())
	a.closers.push("memory", func() error { pacer.Stop(); return nil })
	limit, whose := a.admission.Limit()
	a.log.Info("memory limit", "octets", limit, "scope", whose, "overload", string(limits.Overload))
	return a.metrics.Memory(a.admission.Used, func() uint64 {
		limit, _ := a.admission.Limit()
		return limit
	})
}

// admit is the [intake.Admission] of all intakes.
func (a *Appliance) admit() (refused intake.Event, ok bool) {
	level, short := a.admission.Level()
	if level == admission.None || level == admission.Short && !a.engine.Load().sheds {
		if short == "descriptors" {
			return intake.DescriptorsShort, false
		}
		return intake.MemoryShort, false
	}
	a.admission.Admit()
	return 0, true
}

// overload is the name in the rule's place in decisions that want of room made.
const overload = "overload"

// shedPolicy tunnels what would be decrypted while there is no room for that.
type shedPolicy struct {
	*policy.Table
	level func() (level admission.Level, short string)
}

// Decide implements [decrypt.Policy].
func (p shedPolicy) Decide(f *policy.Facts) policy.Decision {
	d := p.Table.Decide(f)
	if d.Action != policy.Bump || d.Pending { // it is asked again
		return d
	}
	if level, _ := p.level(); level == admission.Ample {
		return d
	}
	d.Rule, d.Action = overload, policy.Tunnel
	return d
}
