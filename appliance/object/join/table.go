package join

import (
	"cmp"
	"container/list"
	"slices"
	"time"
)

const (
	maxFiles = 10_000
	maxParts = 10_000  // of one file
	maxHeld  = 200_000 // parts of all files
	maxNamed = 10_000  // uploads that were announced
	quiet    = time.Hour
)

// Contents is the content of a message.
type Contents struct {
	Handle any // of the caller
	Owner  any // of the caller, as [Joined.Owner]
	Size   uint64
	Text   []byte // the beginning, see [Part.Text]
}

// Placed is a piece of a file: the octets of one content, and where they begin.
type Placed struct {
	Handle any
	At     uint64
	Size   uint64
}

// Joined is a file that was put together.
type Joined struct {
	Name     string // "": nothing told it, but the address
	Received bool   // by the client
	Target   string // of the requests
	Host     string
	Pieces   []Placed // in the order in which they came; where two overlap, the later one counts
	Size     uint64   // of the file; at least where the last piece ends
	Complete bool     // it is all there
	Owner    any      // of the last piece that came
}

// Table has the files that are under way. It is not safe for concurrent use. The zero value
// is empty.
type Table struct {
	files map[key]*file
	order list.List              // of *file, the one that was silent for longest first
	named map[location]announced // what is known of uploads by the address of their parts
	names []location             // in the order of their announcement
	held  int                    // parts of all files
}

// key tells files apart.
type key struct {
	host, target string
	id           string // of the upload; of a download, what validates it
	received     bool
}

// location is where parts of an upload go.
type location struct{ host, target string }

// announced is what a request said of an upload before its parts.
type announced struct {
	name  string
	total uint64 // 0: not said
}

// file is one under way.
type file struct {
	key
	name   string
	total  uint64 // 0: not known
	pieces []piece
	last   time.Time
	owner  any
	place  *list.Element
}

// piece is a part of a file.
type piece struct {
	Placed
	label string // of a block
}

// open returns a file, which begins if it is not there.
func (t *Table) open(k key, at time.Time) *file {
	f := t.files[k]
	if f == nil {
		if t.files == nil {
			t.files = make(map[key]*file)
		}
		f = &file{key: k}
		f.place = t.order.PushBack(f)
		t.files[k] = f
		if a, ok := t.named[location{k.host, k.target}]; ok && !k.received {
			f.name, f.total = a.name, a.total
		}
	}
	f.last = at
	t.order.MoveToBack(f.place)
	return f
}

// forget takes a file out of the table.
func (t *Table) forget(f *file) {
	t.held -= len(f.pieces)
	t.order.Remove(f.place)
	delete(t.files, f.key)
}

// announce notes what is known of the parts that go to a location.
func (t *Table) announce(l location, a announced) {
	if t.named == nil {
		t.named = make(map[location]announced)
	}
	if _, again := t.named[l]; !again {
		if len(t.names) >= maxNamed {
			delete(t.named, t.names[0])
			t.names = t.names[1:]
		}
		t.names = append(t.names, l)
	}
	t.named[l] = a
}

// add adds a piece. It returns false if the file has too many.
func (f *file) add(p piece) bool {
	if p.label != "" {
		if i := slices.IndexFunc(f.pieces, func(q piece) bool { return q.label == p.label }); i >= 0 {
			f.pieces[i] = p // sent again
			return true
		}
	}
	if len(f.pieces) >= maxParts {
		return false
	}
	f.pieces = append(f.pieces, p)
	return true
}

// whole reports whether all octets up to the end are there.
func (f *file) whole() bool {
	if f.total == 0 {
		return false
	}
	byPlace := slices.Clone(f.pieces)
	slices.SortFunc(byPlace, func(a, b piece) int { return cmp.Compare(a.At, b.At) })
	end := uint64(0)
	for _, p := range byPlace {
		if p.At > end {
			return false
		}
		end = max(end, p.At+p.Size)
	}
	return end >= f.total
}

// joined returns the file as it is, its pieces at their offsets.
func (f *file) joined() Joined {
	j := Joined{Name: f.name, Received: f.received, Target: f.target, Host: f.host, Size: f.total, Complete: f.whole(), Owner: f.owner}
	for _, p := range f.pieces {
		j.Pieces = append(j.Pieces, p.Placed)
		j.Size = max(j.Size, p.At+p.Size)
	}
	return j
}

// inOrder places the pieces of the given labels one behind the other. Those that did not
// come leave a gap of no known size: the file is not complete.
func (f *file) inOrder(labels []string) Joined {
	j := Joined{Name: f.name, Received: f.received, Target: f.target, Host: f.host, Complete: len(labels) > 0, Owner: f.owner}
	byLabel := make(map[string]*piece, len(f.pieces))
	for i := range f.pieces {
		byLabel[f.pieces[i].label] = &f.pieces[i]
	}
	for _, l := range labels {
		p := byLabel[l]
		if p == nil {
			j.Complete = false
			continue
		}
		j.Pieces = append(j.Pieces, Placed{p.Handle, j.Size, p.Size})
		j.Size += p.Size
	}
	return j
}

// rest returns a file whose end nobody told. Labels that are numbers are in order.
func (f *file) rest() Joined {
	if len(f.pieces) == 0 || f.pieces[0].label == "" {
		return f.joined()
	}
	labels := make([]string, len(f.pieces))
	for i, p := range f.pieces {
		labels[i] = p.label
	}
	slices.SortStableFunc(labels, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	j := f.inOrder(labels)
	j.Complete = false
	return j
}

// Quiet returns the files of which nothing was heard for an hour, and those that are too
// many.
func (t *Table) Quiet(now time.Time) (told []Joined) {
	for e := t.order.Front(); e != nil; e = t.order.Front() {
		f := e.Value.(*file)
		if len(t.files) <= maxFiles && t.held <= maxHeld && now.Sub(f.last) < quiet {
			break
		}
		t.forget(f)
		told = append(told, f.rest())
	}
	return told
}

// Close returns all files that are under way.
func (t *Table) Close() (told []Joined) {
	for e := t.order.Front(); e != nil; e = t.order.Front() {
		f := e.Value.(*file)
		t.forget(f)
		told = append(told, f.rest())
	}
	return told
}
