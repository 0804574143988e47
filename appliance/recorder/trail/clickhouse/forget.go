package clickhouse

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// daily are the tables with a partition a day.
var daily = []string{"session", "event", "sighting", "finding", "contents", "who"}

// Sizes implements [trail.Store]. The server tells how many octets it has on its disk.
func (s *Store) Sizes(ctx context.Context) (list []trail.Day, err error) {
	err = s.ask(ctx, "select toUInt32(partition) as d,sum(bytes_on_disk) as n from system.parts where active and database="+text(s.database)+
		" and table in ('session','event','sighting','finding','contents','who') group by d order by d", func(a *answer) {
		d := time.Unix(int64(a.u32())*86400, 0).UTC()
		list = append(list, trail.Day{Date: d.Format(trail.DayLayout), Size: int64(a.u64())})
	})
	return list, err
}

// Forget implements [trail.Store].
func (s *Store) Forget(ctx context.Context, date string) error {
	t, err := time.Parse(trail.DayLayout, date)
	if err != nil {
		return fmt.Errorf("%q is no date", date)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeFor)
	defer cancel()
	day := strconv.FormatInt(t.Unix()/86400, 10)
	for _, table := range daily {
		if err := s.run(ctx, s.database, "alter table "+table+" drop partition "+day, nil); err != nil {
			return err
		}
	}
	return nil
}
