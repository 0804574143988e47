package http1

// Ambiguous reports whether two readers could find different ends of a request, or
// different fields in it. It is for a request that a [Strict] reader refused, and a [Loose]
// one took. A bare LF alone is read alike by all.
func (r *Request) Ambiguous() bool {
	lengths, codings := 0, 0
	for f := range Fields(r.Fields) {
		switch {
		case f.Fault != Sound && f.Fault != BareLF:
			return true
		case Is(f.Name, "content-length"):
			if _, ok := ParseLength(f.Value); !ok {
				return true
			}
			lengths++
		case Is(f.Name, "transfer-encoding"):
			if !Is(f.Value, "chunked") || r.Minor == 0 {
				return true
			}
			codings++
		case Is(f.Name, "content_length"), Is(f.Name, "transfer_encoding"): // gateways of CGI read the two alike
			return true
		}
	}
	return lengths+codings > 1
}
