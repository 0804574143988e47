package dissect

// recent is a map that forgets its oldest entries if it has more than most. The zero value
// with a bound is empty.
type recent[K comparable, V any] struct {
	most    int
	entries map[K]V
	order   []K // in which they came, those that are gone among them
}

// get returns an entry, the zero value if there is none.
func (r *recent[K, V]) get(k K) V { return r.entries[k] }

// put adds an entry or changes it. It returns one that had to go.
func (r *recent[K, V]) put(k K, v V) (gone V, is bool) {
	if r.entries == nil {
		r.entries = make(map[K]V)
	}
	if _, again := r.entries[k]; !again {
		if len(r.entries) >= r.most {
			gone, is = r.oldest()
		}
		if len(r.order) >= 2*r.most {
			r.tidy()
		}
		r.order = append(r.order, k)
	}
	r.entries[k] = v
	return gone, is
}

// oldest takes the oldest entry out.
func (r *recent[K, V]) oldest() (v V, is bool) {
	for len(r.order) > 0 && !is {
		if v, is = r.entries[r.order[0]]; is {
			delete(r.entries, r.order[0])
		}
		r.order = r.order[1:]
	}
	return v, is
}

// tidy takes out of the order what is gone. An entry that went and came again keeps its
// first place.
func (r *recent[K, V]) tidy() {
	seen := make(map[K]bool, len(r.entries))
	order := make([]K, 0, r.most)
	for _, k := range r.order {
		if _, is := r.entries[k]; is && !seen[k] {
			seen[k] = true
			order = append(order, k)
		}
	}
	r.order = order
}

// take takes an entry out.
func (r *recent[K, V]) take(k K) (V, bool) {
	v, is := r.entries[k]
	delete(r.entries, k)
	if len(r.entries) == 0 {
		r.order = nil
	}
	return v, is
}
