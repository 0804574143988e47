package clickhouse

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// topColumns are the fields of [trail.TopFields] as strings.
var topColumns = map[query.ID]string{
	trail.FieldClient: "IPv6NumToString(client)", trail.FieldServer: "IPv6NumToString(server)", trail.FieldHost: "host", trail.FieldUser: "user", trail.FieldKind: "kind",
	trail.FieldProtocol: "protocol", trail.FieldMethod: "method", trail.FieldType: "type", trail.FieldAgent: "agent", trail.FieldOutcome: "outcome", trail.FieldFrom: "sender",
}

// asked returns the condition of a question, without a page.
func (s *Store) asked(q *trail.Question) string {
	expr := q.Query.Expr()
	from, to := q.Span()
	w := where{uint32(max(from, 0) / int64(day)), math.MaxUint32}
	if to < math.MaxInt64-int64(day) {
		w.to = uint32(max(to, 0) / int64(day))
	}
	return fmt.Sprintf("%s and at>=%s and at<=%s and %s", w.days(), number(from), number(to), w.condition(expr))
}

// Top implements [trail.Reader].
func (s *Store) Top(ctx context.Context, q trail.Question, field query.ID, limit int) (list []trail.Count, err error) {
	column, ok := topColumns[field]
	if !ok {
		return nil, fmt.Errorf("there is no list of the most frequent values of this field")
	}
	statement := fmt.Sprintf("select %s as v,count() as n,sum(up),sum(down) from event final where %s and v<>'' group by v order by n desc,v limit %d", column, s.asked(&q), min(max(limit, 1), trail.MaxTop))
	err = s.ask(ctx, statement, func(a *answer) {
		c := trail.Count{Value: a.text(), Events: a.u64(), Up: a.u64(), Down: a.u64()}
		if field == trail.FieldClient || field == trail.FieldServer {
			if ip, err := netip.ParseAddr(c.Value); err == nil {
				c.Value = ip.Unmap().String()
			}
		}
		list = append(list, c)
	})
	return list, err
}

// Timeline implements [trail.Reader].
func (s *Store) Timeline(ctx context.Context, q trail.Question, step time.Duration) (list []trail.Moment, err error) {
	if err := trail.CheckSteps(&q, step); err != nil {
		return nil, err
	}
	statement := fmt.Sprintf("select intDiv(at-%s,%d) as t,kind,count(),sum(up),sum(down) from event final where %s group by t,kind order by t,kind", number(q.From.UnixNano()), step, s.asked(&q))
	err = s.ask(ctx, statement, func(a *answer) {
		at := q.From.Add(time.Duration(a.u64()) * step)
		list = append(list, trail.Moment{At: at.UTC(), Count: trail.Count{Value: a.text(), Events: a.u64(), Up: a.u64(), Down: a.u64()}})
	})
	return list, err
}
