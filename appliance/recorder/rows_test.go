package recorder_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/hack/tempo"
)

// rows keeps all that an analyst hands out.
type rows struct{ trail.Batch }

func (r *rows) Write(_ context.Context, b *trail.Batch) error {
	r.Events = append(r.Events, b.Events...)
	r.Objects = append(r.Objects, b.Objects...)
	r.Sightings = append(r.Sightings, b.Sightings...)
	r.Sessions = append(r.Sessions, b.Sessions...)
	r.Who = append(r.Who, b.Who...)
	return nil
}

// holes returns how many holes an object has.
func (r *rows) holes(h trail.Hash) int {
	i := slices.IndexFunc(r.Objects, func(o trail.Object) bool { return o.Hash == h })
	return len(r.Objects[i].Holes)
}

// read has an analyst read frames.
func read(t testing.TB, frames []rowstest.Frame) *rows {
	t.Helper()
	store, err := content.Open("", content.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r := new(rows)
	a := analyst.New(analyst.Config{Content: store}, r)
	for _, f := range frames {
		if err := a.Add(t.Context(), flow.Frame{Octets: f.Octets, At: f.At, Link: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// find tells how a file was found.
func (r *rows) find(f *rowstest.File, among map[string]bool) (found bool, other string) {
	for _, x := range r.Sightings {
		if x.Name != f.Name || (x.Direction == trail.Received) != f.Received {
			continue
		}
		if x.Hash.String() == f.SHA256() && r.holes(x.Hash) == f.Holes {
			found = true
		} else if f.Name != "" && !among[x.Hash.String()] {
			other = fmt.Sprintf("%q has %d other octets, in %d holes", x.Name, x.Size, r.holes(x.Hash))
		}
	}
	return found, other
}

// has checks that files are found, with their octets and their names, and nothing else under
// these names.
func (r *rows) has(t *testing.T, files []rowstest.File) {
	t.Helper()
	among := make(map[string]bool)
	for i := range files {
		among[files[i].SHA256()] = true
	}
	for i := range files {
		f := &files[i]
		if f.Within {
			continue
		}
		found, other := r.find(f, among)
		if other != "" {
			t.Error(other)
		}
		if !found {
			var seen strings.Builder
			for _, x := range r.Sightings[:min(len(r.Sightings), 10)] {
				fmt.Fprintf(&seen, "\n%v %q %s of %d octets, %s, right %v", x.Direction, x.Name, x.Type, x.Size, x.Ending, x.Hash.String() == f.SHA256())
			}
			t.Errorf("%q of %d octets is missing among%s", f.Name, len(f.Octets), seen.String())
		}
	}
	if t.Failed() {
		for _, e := range r.Events[:min(len(r.Events), 20)] {
			t.Logf("event %s %s %s %d %s", e.Kind, e.Method, e.URI, e.Status, e.Outcome)
		}
		for _, s := range r.Sessions[:min(len(r.Sessions), 20)] {
			t.Logf("session %v %s %s", s.Server, s.Protocol, s.Stop)
		}
	}
}

// TestRows: each file of each row is found.
func TestRows(t *testing.T) {
	for _, row := range rowstest.Rows() {
		t.Run(row.Name, func(t *testing.T) {
			read(t, rowstest.Render{}.Frames(&row)).has(t, row.Files)
		})
	}
}

// some returns every n-th row, from one on that differs by the kind of test; all of them in a
// thorough run.
func some(all []rowstest.Row, first, n int) (list []rowstest.Row) {
	if tempo.Thorough() {
		return all
	}
	for i := first % n; i < len(all); i += n {
		list = append(list, all[i])
	}
	return list
}

// TestRowsOtherwise: each file is found however its frames come.
func TestRowsOtherwise(t *testing.T) {
	for _, v := range rowstest.Variations() {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			for _, row := range some(rowstest.Rows(), len(v.Name), 4) {
				if v.Fits(&row) {
					t.Run(row.Name, func(t *testing.T) { read(t, v.Frames(&row)).has(t, row.Files) })
				}
			}
		})
	}
}

// files are those of all rows.
func files(all []rowstest.Row) (list []rowstest.File) {
	for _, row := range all {
		list = append(list, row.Files...)
	}
	return list
}

// TestRowsTogether: the files of all rows are found when all happen at the same time.
func TestRowsTogether(t *testing.T) {
	all := rowstest.Rows()
	read(t, rowstest.Together(all)).has(t, files(all))
}

// TestMatrix: names are right in each charset, written in each way, in each protocol.
func TestMatrix(t *testing.T) {
	for name, all := range rowstest.Matrix() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := some(all, len(name), 8)
			read(t, rowstest.Together(all)).has(t, files(all))
		})
	}
}
