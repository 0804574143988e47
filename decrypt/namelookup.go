package decrypt

import (
	"context"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Names is when names are looked up to note [policy.SNIUnresolved].
type Names uint8

const (
	NamesBeside Names = iota // beside the session, which waits for nothing
	NamesFirst               // before the policy is asked, since an action depends on it
	NamesNever
)

// maxLookups bounds the names that are looked up beside sessions at a time.
const maxLookups = 64

// lookUp finds whether the server name resolves to the destination. If an action
// depends on it the session waits; if it is only noted, it does not, and the
// function that is returned ends the search.
func (d *decision) lookUp(ctx context.Context) (stop func()) {
	key, now := d.checkKey(d.account.SNI), time.Now()
	switch {
	case !d.doubtful(key.name):
		return nil
	case d.engine.addresses.Has(key.name, key.origin.Addr(), now), d.engine.checks.known(key, now):
		d.account.Resolved()
		return nil
	case d.engine.unresolvable.known(key, now):
		return nil
	case d.engine.mismatched.known(key, now):
		d.account.note(policy.SNIUnresolved)
		return nil
	}
	look := func(ctx context.Context) {
		switch belongs, known := d.engine.resolves(ctx, key, d.engine.cfg.Origin.ConnectTimeout); {
		case belongs:
			d.account.Resolved()
		case known:
			d.remember(&d.engine.mismatched, key)
			d.account.note(policy.SNIUnresolved)
		case ctx.Err() == nil: // nor need it be asked again and again
			d.remember(&d.engine.unresolvable, key)
		}
	}
	if d.engine.cfg.Names == NamesFirst {
		look(ctx)
		return nil
	}
	select {
	case d.engine.lookups <- struct{}{}:
	default:
		return nil // too many at once: nobody waits for them
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := Contain(func() error { look(ctx); return nil }); err != nil {
			d.engine.log.Error("look-up panicked", "err", err, "stack", string(err.(*Panic).Stack))
		}
		<-d.engine.lookups
	}()
	return func() {
		cancel()
		<-done
	}
}

// doubtful reports whether a server name is to be looked up: not if the intake has done
// so, or has certificates for it.
func (d *decision) doubtful(name string) bool {
	switch {
	case name == "" || d.engine.cfg.Names == NamesNever || d.engine.cfg.Resolver == nil || d.in.Resolved:
		return false
	case d.account.Late != nil && d.account.Late.Connect != "": // it goes on behind the destination
		return false
	case d.in.Own != nil && len(d.in.Own(name, false)) > 0:
		return false
	}
	return d.account.Name == "" || policy.Differ(d.account.Name, name)
}
