package watch

import "time"

// Each calls visit with every open session, in no order. The row is valid until visit
// returns.
func (r *Registry) Each(visit func(*Row)) {
	now := time.Now()
	r.all(func(l *Live) {
		row := l.row(now)
		visit(&row)
	})
}
