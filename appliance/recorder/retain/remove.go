package retain

import (
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Kept is what there is of a class.
type Kept struct {
	Objects int64
	Size    int64     // octets on the disk
	Oldest  time.Time // when the oldest was last seen; zero: there is none
}

// classed has each object with its class, and when it was last seen there: in the class that
// keeps it longest, by the ages ?1 to ?3 of received, sent and mail.
const classed = `(select hash, size, class, case class when 'mail' then mail when 'sent' then sent else received end as last from
	(select *, case when mail > 0 and mail/2+?3/2 >= max((sent>0)*(sent/2+?2/2), (received>0)*(received/2+?1/2)) then 'mail'
		when sent > 0 and sent/2+?2/2 >= (received>0)*(received/2+?1/2) then 'sent' else 'received' end as class from object))`

// ages returns the ages of a policy for [classed].
func ages(p *Policy) []any {
	list := make([]any, 0, 3)
	for _, c := range []Class{Received, Sent, Mail} {
		age := p.Of(c).Age.Nanoseconds()
		if age <= 0 {
			age = math.MaxInt64
		}
		list = append(list, age)
	}
	return list
}

// Kept returns what there is of the classes of objects.
func (x *Index) Kept(ctx context.Context, p *Policy) (map[Class]Kept, error) {
	kept := make(map[Class]Kept)
	rows, err := x.db.QueryContext(ctx, "select class, count(*), sum(size), min(last) from "+classed+" group by class", ages(p)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Class
		var k Kept
		var oldest int64
		if err := rows.Scan(&c, &k.Objects, &k.Size, &oldest); err != nil {
			return nil, err
		}
		k.Oldest = time.Unix(0, oldest).UTC()
		kept[c] = k
	}
	return kept, rows.Err()
}

// Some bounds the objects that are named, and removed, at once.
const Some = 1000

// Object is one that may go.
type Object struct {
	Hash trail.Hash
	Size int64
}

// Old returns objects that no class keeps any more: each class has a time before which it
// keeps none. They come in the order of hashes, behind one of them, [Some] at most.
func (x *Index) Old(ctx context.Context, received, sent, mail time.Time, behind trail.Hash) ([]Object, error) {
	return x.objects(ctx, `select hash, size from object where hash > ? and (received=0 or received<?) and (sent=0 or sent<?) and (mail=0 or mail<?)
		and hash not in (select hash from pin) order by hash limit ?`, behind[:], nano(received), nano(sent), nano(mail), Some)
}

// nano returns a time in nanoseconds; the zero time is before all others.
func nano(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

// Oldest returns the objects of a class that were not seen for the longest time, at least so
// many octets of them, and [Some] objects at most.
func (x *Index) Oldest(ctx context.Context, p *Policy, c Class, octets int64) (list []Object, err error) {
	list, err = x.objects(ctx, "select hash, size from "+classed+" where class=?4 and hash not in (select hash from pin) order by last, hash limit ?5", append(ages(p), string(c), Some)...)
	for i, o := range list {
		if octets -= o.Size; octets <= 0 {
			return list[:i+1], err
		}
	}
	return list, err
}

func (x *Index) objects(ctx context.Context, text string, args ...any) (list []Object, err error) {
	rows, err := x.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h []byte
		var o Object
		if err := rows.Scan(&h, &o.Size); err != nil {
			return nil, err
		}
		copy(o.Hash[:], h)
		list = append(list, o)
	}
	return list, rows.Err()
}

// Remove takes objects out of the index. remove takes the octets of each away; it returns
// false if they have to stay. Objects that are pinned stay: nobody pins one meanwhile.
func (x *Index) Remove(ctx context.Context, list []Object, remove func(trail.Hash) (bool, error)) error {
	return x.change(ctx, func(tx *sql.Tx) error {
		for _, o := range list {
			var pinned bool
			if err := tx.QueryRowContext(ctx, "select count(*) > 0 from pin where hash=?", o.Hash[:]).Scan(&pinned); err != nil {
				return err
			}
			if pinned {
				continue
			}
			gone, err := remove(o.Hash)
			if err != nil {
				return err
			}
			if !gone {
				continue
			}
			if _, err := tx.ExecContext(ctx, "delete from object where hash=?", o.Hash[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Pin has objects stay, whatever their age, until [Index.Unpin] of the same name.
func (x *Index) Pin(ctx context.Context, name string, list []trail.Hash) error {
	return x.change(ctx, func(tx *sql.Tx) error {
		for _, h := range list {
			if _, err := tx.ExecContext(ctx, "insert or ignore into pin values(?,?)", h[:], name); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unpin lets objects go that a name has pinned, unless another one has, too.
func (x *Index) Unpin(ctx context.Context, name string) error {
	_, err := x.db.ExecContext(ctx, "delete from pin where name=?", name)
	return err
}
