package appliance

import (
	"context"
	"time"
)

const (
	rotateCheck = time.Hour   // a timer does not run while the machine sleeps
	rotateRetry = time.Minute // after a failure
)

// rotate loads the authorities again when a change is due, until ctx ends.
func (a *Appliance) rotate(ctx context.Context) {
	for wait := time.Duration(0); ; {
		if changes := a.engine.Load().authorities.Changes; !changes.IsZero() {
			wait = max(wait, min(time.Until(changes), rotateCheck))
		} else {
			wait = rotateCheck
		}
		select {
		case <-ctx.Done():
			return
		case <-a.renewed: // by a reload
			wait = 0
			continue
		case <-time.After(wait):
		}
		wait = 0
		if changes := a.engine.Load().authorities.Changes; changes.IsZero() || time.Now().Before(changes) {
			continue
		}
		if err := a.renew(); err != nil {
			a.log.Error("authority not rotated", "err", err)
			wait = rotateRetry
		}
	}
}

// renew is a reload of the authorities alone.
func (a *Appliance) renew() error {
	a.reload.Lock()
	defer a.reload.Unlock()
	g, err := a.newGeneration(a.cfg)
	if err != nil {
		return err
	}
	a.install(g)
	return nil
}
