package authority

import (
	"context"
	"log/slog"
	"time"
)

const (
	rotateCheck = time.Hour   // a timer does not run while the machine sleeps
	rotateRetry = time.Minute // after a failure
)

// Rotate calls renew, which loads the authorities again, when a change of those in force is
// due, until ctx ends. changes returns when that is, zero for never. It is asked again when
// renewed, from elsewhere, has a value.
func Rotate(ctx context.Context, changes func() time.Time, renewed <-chan struct{}, renew func() error, log *slog.Logger) {
	for wait := time.Duration(0); ; {
		if due := changes(); !due.IsZero() {
			wait = max(wait, min(time.Until(due), rotateCheck))
		} else {
			wait = rotateCheck
		}
		select {
		case <-ctx.Done():
			return
		case <-renewed: // by a reload
			wait = 0
			continue
		case <-time.After(wait):
		}
		wait = 0
		if due := changes(); due.IsZero() || time.Now().Before(due) {
			continue
		}
		if err := renew(); err != nil {
			log.Error("authority not rotated", "err", err)
			wait = rotateRetry
		}
	}
}
