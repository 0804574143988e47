package watch

// Adopt takes a session that has ended in another process, so that it is listed and told
// here. It reports whether it is new.
func (r *Registry) Adopt(row *Row) bool {
	if _, known := r.ended.get(row.Session); known {
		return false
	}
	if _, ok := key(row.Session); !ok || row.State != Ended {
		return false
	}
	r.ended.add(row)
	r.subscribers.tell(func() Row { return *row })
	return true
}
