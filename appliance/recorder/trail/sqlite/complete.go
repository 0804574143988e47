package sqlite

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Columns of what belongs to an event.
var (
	partyColumns    = "role, " + strOf("address")
	sightingColumns = "number, hash, late, direction, name, raw_name, " + strOf("type") + ", part, " + strOf("field") + ", parent, " + strOf("ending") + ", size"
	findingColumns  = "id, hash, at, " + strOf("rule") + ", " + strOf("detector") + ", count, score, sample, place"
	objectColumns   = "size, " + strOf("type") + ", first, stored, holes, more"
)

// What belongs to an event, by its number.
var (
	selectParties   = "select " + partyColumns + " from party where event=? order by role, 2"
	selectSightings = "select " + sightingColumns + " from sighting where event=? order by number"
	selectFindings  = "select " + findingColumns + " from finding where event=? order by id"
)

// together is how many events are completed with the same statements.
const together = 100

// page is events of a day, to which what belongs to them is added.
type page struct {
	events map[int64]*trail.Full
	in     string // their numbers, as a list of SQL
}

// complete adds to events of a day, whose numbers are given, what belongs to them.
func (s *Store) complete(ctx context.Context, db *sql.DB, numbers []int64, list []*trail.Full) error {
	p := page{events: make(map[int64]*trail.Full, len(list))}
	var in strings.Builder
	for i, n := range numbers {
		if i > 0 {
			in.WriteByte(',')
		}
		in.WriteString(strconv.FormatInt(n, 10))
		p.events[n] = list[i]
		list[i].Objects = make(map[trail.Hash]trail.Object)
	}
	p.in = " where event in (" + in.String() + ") order by event, "
	if err := p.parties(ctx, db); err != nil {
		return err
	}
	if err := p.sightings(ctx, db); err != nil {
		return err
	}
	if err := p.objects(ctx, s.main); err != nil {
		return err
	}
	return p.findings(ctx, db)
}

func (p *page) parties(ctx context.Context, db *sql.DB) error {
	return each(ctx, db, "select "+partyColumns+", event from party"+p.in+"role, 2", nil, func(rows *sql.Rows) error {
		var v trail.Party
		var n int64
		if err := rows.Scan(&v.Role, &v.Address, &n); err != nil {
			return err
		}
		x := p.events[n]
		x.Parties = append(x.Parties, v)
		return nil
	})
}

// sightings adds what was seen in events. The parent of a sighting is a hash, or the number of
// another one of the same event.
func (p *page) sightings(ctx context.Context, db *sql.DB) error {
	type inner struct {
		x         *trail.Full
		i, parent int
	}
	var inners []inner
	err := each(ctx, db, "select "+sightingColumns+", event from sighting"+p.in+"number", nil, func(rows *sql.Rows) error {
		var v trail.Sighting
		var hash []byte
		var late, size, n int64
		var parent any
		if err := rows.Scan(&v.Number, &hash, &late, &v.Direction, &v.Name, &v.RawName, &v.Type, &v.Part, &v.Field, &parent, &v.Ending, &size, &n); err != nil {
			return err
		}
		x := p.events[n]
		hi, _ := halves(x.ID)
		v.Event, v.At, v.Size = x.ID, fromNano(hi+late), uint64(size)
		copy(v.Hash[:], hash)
		switch parent := parent.(type) {
		case []byte:
			copy(v.Parent[:], parent)
		case int64:
			inners = append(inners, inner{x, len(x.Sightings), int(parent)})
		}
		x.Sightings = append(x.Sightings, v)
		return nil
	})
	for _, in := range inners {
		for j := range in.x.Sightings {
			if int(in.x.Sightings[j].Number) == in.parent {
				in.x.Sightings[in.i].Parent = in.x.Sightings[j].Hash
			}
		}
	}
	return err
}

// objects adds the objects of the sightings.
func (p *page) objects(ctx context.Context, db *sql.DB) error {
	seen := make(map[trail.Hash][]*trail.Full)
	var hashes []any
	for _, x := range p.events {
		for i := range x.Sightings {
			h := x.Sightings[i].Hash
			if seen[h] == nil {
				hashes = append(hashes, h[:])
			}
			seen[h] = append(seen[h], x)
		}
	}
	for len(hashes) > 0 {
		some := hashes[:min(len(hashes), 1000)]
		hashes = hashes[len(some):]
		err := each(ctx, db, "select "+objectColumns+", hash from object where hash in (?"+strings.Repeat(",?", len(some)-1)+")", some, func(rows *sql.Rows) error {
			o, err := scanObject(rows.Scan)
			if err != nil {
				return err
			}
			for _, x := range seen[o.Hash] {
				x.Objects[o.Hash] = *o
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scanObject reads a row of objectColumns and the hash.
func scanObject(scan func(...any) error) (*trail.Object, error) {
	o := &trail.Object{}
	var size, first, stored, more int64
	var holes, hash []byte
	err := scan(&size, &o.Type, &first, &stored, &holes, &more, &hash)
	copy(o.Hash[:], hash)
	o.Size, o.First, o.Stored, o.More, o.Holes = uint64(size), fromNano(first), uint64(stored), uint64(more), trail.UnpackHoles(holes)
	return o, err
}

func (p *page) findings(ctx context.Context, db *sql.DB) error {
	return each(ctx, db, "select "+findingColumns+", event from finding"+p.in+"id", nil, func(rows *sql.Rows) error {
		var v trail.Finding
		var id, hash []byte
		var at, count, n int64
		if err := rows.Scan(&id, &hash, &at, &v.Rule, &v.Detector, &count, &v.Score, &v.Sample, &v.Place, &n); err != nil {
			return err
		}
		x := p.events[n]
		copy(v.ID[:], id)
		copy(v.Hash[:], hash)
		v.Event, v.At, v.Count = x.ID, fromNano(at), uint64(count)
		x.Findings = append(x.Findings, v)
		return nil
	})
}
