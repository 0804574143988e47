package authority

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/clearspan/clearspan/appliance/health"
)

// Names of the authorities in metrics, alerts and the state of the box.
const (
	Trusted   = "trusted"   // that clients trust
	Untrusted = "untrusted" // for origins that fail verification
	Next      = "next"      // that follows the trusted one
)

// soon is how long before its end an authority is to be replaced: clients need time.
const soon = 30 * 24 * time.Hour

// Expiry returns when the certificates of the authorities end, by name. A successor is
// there while a rotation is planned.
func (s *Set) Expiry() map[string]time.Time {
	ends := map[string]time.Time{Trusted: s.Trusted.Certificate().NotAfter, Untrusted: s.Untrusted.Certificate().NotAfter}
	if s.Next != nil {
		ends[Next] = s.Next.Certificate().NotAfter
	}
	return ends
}

// end returns when an authority has no certificate any more. A planned successor goes on
// for the trusted one.
func (s *Set) end(name string) time.Time {
	ends := s.Expiry()
	if name == Trusted && s.Next != nil && s.From.Before(ends[Trusted]) && ends[Next].After(ends[Trusted]) {
		return ends[Next]
	}
	return ends[name]
}

// Health tells how an authority does: degraded from 30 days before its end, down after it.
func (s *Set) Health(name string, now time.Time) health.Reading {
	r := health.Reading{Do: "Make an authority in its place: clearspan ca rotate. Give clients its certificate before the old one ends."}
	if name == Untrusted {
		r.Do = "Delete its two files and restart: clearspan makes another one. No client need know it."
	}
	switch end := s.end(name); {
	case !now.Before(end):
		r.State, r.Why = health.Down, fmt.Sprintf("ended on %s: clients refuse what it signs", end.UTC().Format(time.DateOnly))
	case end.Sub(now) < soon:
		r.State, r.Why = health.Degraded, fmt.Sprintf("ends on %s, in %s", end.UTC().Format(time.DateOnly), days(end.Sub(now)))
	default:
		return health.Reading{}
	}
	return r
}

func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); n {
	case 0:
		return "less than a day"
	case 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", n)
	}
}

// Remind warns in the log of each authority that ends within 30 days, or has ended.
func (s *Set) Remind(now time.Time, log *slog.Logger) {
	for _, name := range []string{Trusted, Untrusted} {
		if r := s.Health(name, now); r.State != health.OK {
			log.Warn("authority ends soon", "authority", name, "not_after", s.end(name).UTC().Format(time.RFC3339), "reason", r.Why)
		}
	}
}
