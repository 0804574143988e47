package control

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/watch"
)

// Bounds of [Measure].
const (
	maxWindow = 10 * time.Second
	maxTop    = 1000
)

// Top is who has most of the traffic, measured over a moment.
type Top struct {
	Window  time.Duration `json:"window"` // nanoseconds
	Sum     Share         `json:"sum"`
	Hosts   []Share       `json:"hosts"`
	Clients []Share       `json:"clients"`
	Rules   []Share       `json:"rules"`
}

// Share is the part of a host, a client or a rule.
type Share struct {
	Name   string  `json:"name"`
	Octets float64 `json:"octets"` // a second, both ways
	Began  float64 `json:"began"`  // sessions a second
	Open   int     `json:"open"`   // sessions now
}

// Measure looks at the sessions twice, and returns the shares of that moment: the
// greatest ones first, limit of each kind.
func Measure(ctx context.Context, of *watch.Registry, window time.Duration, limit int) (Top, error) {
	begin := time.Now()
	before := make(map[string]uint64)
	of.Each(func(r *watch.Row) { before[r.Session] = r.Octets() })
	select {
	case <-ctx.Done():
		return Top{}, ctx.Err()
	case <-time.After(window):
	}
	ended, err := query.Parse("state:ended")
	if err != nil {
		return Top{}, err
	}
	m := measure{begin: begin, before: before, hosts: shares{}, clients: shares{}, rules: shares{}}
	of.Each(m.add)
	for at := watch.Cursor(""); ; {
		rows, next, err := of.List(ended, watch.MaxList, at)
		if err != nil {
			return Top{}, err
		}
		for i := range rows {
			if rows[i].End().Before(begin) {
				next = ""
				break
			}
			m.add(&rows[i])
		}
		if at = next; at == "" {
			break
		}
	}
	took := time.Since(begin)
	return Top{
		Window: took, Sum: m.sum.over(took),
		Hosts: m.hosts.top(took, limit), Clients: m.clients.top(took, limit), Rules: m.rules.top(took, limit),
	}, nil
}

// measure adds up what sessions did since a time.
type measure struct {
	begin                 time.Time
	before                map[string]uint64 // octets of sessions that were open then
	hosts, clients, rules shares
	sum                   Share
}

func (m *measure) add(r *watch.Row) {
	one := Share{Octets: float64(r.Octets() - min(r.Octets(), m.before[r.Session]))}
	if _, was := m.before[r.Session]; !was && !r.Start.Before(m.begin) {
		one.Began = 1
	}
	if r.State == watch.Open {
		one.Open = 1
	}
	host := r.Host
	if host == "" && r.Origin.IsValid() {
		host = r.Origin.Addr().String()
	}
	m.hosts.add(cmp.Or(host, "(unknown)"), one)
	m.clients.add(r.Client.Addr().String(), one)
	m.rules.add(cmp.Or(r.Rule, "(undecided)"), one)
	m.sum.add(one)
}

func (s *Share) add(o Share) {
	s.Octets += o.Octets
	s.Began += o.Began
	s.Open += o.Open
}

// over turns sums into rates.
func (s Share) over(took time.Duration) Share {
	s.Octets /= took.Seconds()
	s.Began /= took.Seconds()
	return s
}

type shares map[string]*Share

func (s shares) add(name string, o Share) {
	to := s[name]
	if to == nil {
		to = &Share{Name: name}
		s[name] = to
	}
	to.add(o)
}

func (s shares) top(took time.Duration, limit int) []Share {
	list := make([]Share, 0, len(s))
	for _, one := range s {
		list = append(list, one.over(took))
	}
	slices.SortFunc(list, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Octets, a.Octets), cmp.Compare(b.Began, a.Began), b.Open-a.Open, cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), limit)]
}

func (s *Server) top(q *http.Request) (any, error) {
	v := q.URL.Query()
	limit, err := number(v, "limit", 10, maxTop)
	if err != nil {
		return nil, err
	}
	window := time.Second
	if text := v.Get("window"); text != "" {
		if window, err = time.ParseDuration(text); err != nil || window <= 0 || window > maxWindow {
			return nil, NewProblem(TypeRequest, fmt.Sprintf("window: want a duration up to %v", maxWindow))
		}
	}
	ended, ok := s.takeStream()
	if !ok {
		return nil, NewProblem(TypeBusy, "too many streams")
	}
	defer ended()
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	return s.operations.Top(ctx, window, limit)
}
