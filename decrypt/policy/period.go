package policy

import (
	"fmt"
	"strings"
	"time"
)

// Period is a time of day on some days of the week. It includes its first minute
// and ends before its last. One whose end is not behind its start goes on into the
// next day and belongs to the day on which it begins.
type Period struct {
	From, To int            // minutes since midnight, 0 to 1440; both 0: the whole day
	Days     Days           // zero: every day
	Zone     *time.Location // nil: that of the machine
}

// Days is a set of days of the week, bit 0 being Sunday.
type Days uint8

// Add returns d with a day more.
func (d Days) Add(day time.Weekday) Days { return d | 1<<day }

func (d Days) has(day time.Weekday) bool { return d == 0 || d&(1<<((day+7)%7)) != 0 }

const minutesADay = 24 * 60

func (p *Period) check() error {
	if p.From < 0 || p.To < 0 || p.From > minutesADay || p.To > minutesADay || p.Days > 1<<7-1 {
		return fmt.Errorf("time %v is not a time of day", *p)
	}
	return nil
}

// Covers reports whether t is in the period; the zero time is in none. It
// allocates nothing.
func (p *Period) Covers(t time.Time) bool {
	if t.IsZero() {
		return false
	}
	if p.Zone != nil {
		t = t.In(p.Zone)
	} else {
		t = t.Local()
	}
	minute, day := t.Hour()*60+t.Minute(), t.Weekday()
	switch {
	case p.From == 0 && p.To == 0:
		return p.Days.has(day)
	case p.From < p.To:
		return minute >= p.From && minute < p.To && p.Days.has(day)
	}
	return minute >= p.From && p.Days.has(day) || minute < p.To && p.Days.has(day-1)
}

// String returns "08:00-18:00 mon,tue Europe/Berlin" and the like.
func (p Period) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%02d:%02d-%02d:%02d", p.From/60, p.From%60, p.To/60, p.To%60)
	separator := " "
	for i := 1; p.Days != 0 && i <= 7; i++ {
		if day := time.Weekday(i % 7); p.Days.has(day) {
			b.WriteString(separator + strings.ToLower(day.String()[:3]))
			separator = ","
		}
	}
	if p.Zone != nil {
		b.WriteString(" " + p.Zone.String())
	}
	return b.String()
}
