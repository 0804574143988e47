package wirefuzz

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// change is a way to make a case simpler: a copy of it without something.
type change struct {
	step  int // -1: the case itself
	field int // -1: the whole step
	all   bool
}

// apply returns the case without what the changes name. Steps are dropped last, so that
// the numbers of the others hold.
func apply(c *Case, changes []change) *Case {
	d := *c
	d.Steps = slices.Clone(c.Steps)
	var dropped []int
	for _, h := range changes {
		switch {
		case h.step < 0 && h.all:
			for i := range d.Steps {
				reflect.ValueOf(&d.Steps[i]).Elem().Field(h.field).SetZero()
			}
		case h.step < 0:
			reflect.ValueOf(&d).Elem().Field(h.field).SetZero()
		case h.field < 0:
			dropped = append(dropped, h.step)
		default:
			reflect.ValueOf(&d.Steps[h.step]).Elem().Field(h.field).SetZero()
		}
	}
	slices.Sort(dropped)
	for _, i := range slices.Backward(slices.Compact(dropped)) {
		d.Steps = slices.Delete(d.Steps, i, i+1)
	}
	return &d
}

// changes lists what may be left out of a case.
func changes(c *Case) (list []change) {
	fixed := map[string]bool{"Origin": true, "Steps": true, "Must": true, "Flags": true, "Await": true}
	v := reflect.ValueOf(c).Elem()
	for f := range v.NumField() {
		if !fixed[v.Type().Field(f).Name] && !v.Field(f).IsZero() {
			list = append(list, change{-1, f, false})
		}
	}
	kind := reflect.TypeFor[Segment]()
	for f := range kind.NumField() {
		n := 0
		for i := range c.Steps {
			if !fixed[kind.Field(f).Name] && !reflect.ValueOf(&c.Steps[i]).Elem().Field(f).IsZero() {
				list = append(list, change{i, f, false})
				n++
			}
		}
		if n > 1 && kind.Field(f).Name != "Text" {
			list = append(list, change{-1, f, true})
		}
	}
	for i := range c.Steps {
		list = append(list, change{i, -1, false})
	}
	return list
}

// reduce leaves out of a case what its divergence does not need. tries bounds how often
// cases are run.
func (r *rig) reduce(c *Case, tries int) *Case {
	diverges := func(c *Case) bool {
		if len(c.Steps) == 0 {
			return false
		}
		d, err := r.run(c)
		return err == nil && d != nil
	}
	for tries > 0 {
		before := tries
		for _, whole := range []bool{true, false} { // steps first, then their fields
			list := slices.DeleteFunc(changes(c), func(h change) bool { return (h.field < 0) != whole })
			good := make([]bool, len(list))
			var all sync.WaitGroup
			for i, h := range list {
				all.Go(func() { good[i] = diverges(apply(c, []change{h})) })
			}
			all.Wait()
			tries -= len(list)
			var useful []change
			for i, h := range list {
				if good[i] {
					useful = append(useful, h)
				}
			}
			for len(useful) > 1 && !diverges(apply(c, useful)) { // all at once, or half of them, or one
				tries--
				useful = useful[:(len(useful)+1)/2]
			}
			if len(useful) > 0 {
				c, before = apply(c, useful), 0
			}
		}
		if before != 0 {
			break
		}
	}
	return c
}

// signature names a reduced case by its shape: equal ones are of one kind.
func (c *Case) signature(d *divergence) string {
	var b strings.Builder
	b.WriteString(d.kind)
	if c.Origin {
		b.WriteString(" by the origin:")
	} else {
		b.WriteString(":")
	}
	for i := range c.Steps {
		s := &c.Steps[i]
		flags := s.Flags
		if flags == "" {
			flags = "-"
		}
		fmt.Fprintf(&b, " %s", flags)
		v := reflect.ValueOf(*s)
		for f := range v.NumField() {
			switch name := v.Type().Field(f).Name; name {
			case "Flags", "From", "To", "Await":
			case "Text":
				if s.Text != "" {
					b.WriteString("+" + s.Text)
				}
			default:
				if !v.Field(f).IsZero() {
					b.WriteString("/" + strings.ToLower(name))
				}
			}
		}
	}
	return b.String()
}

// finding names the kind of weakness that a reduced case of divergence shows,
// empty for a new one.
func (c *Case) finding(d *divergence) string {
	any := func(f func(*Segment) bool) bool {
		for i := range c.Steps {
			if f(&c.Steps[i]) {
				return true
			}
		}
		return false
	}
	switch {
	case any(func(s *Segment) bool { return len(s.Tags) > 0 }):
		return "tags"
	case any(func(s *Segment) bool { return s.Fragments != nil }):
		return "fragments"
	case any(func(s *Segment) bool { return s.IPOption != "" || s.Headers != nil }):
		return "extensions"
	case d.kind == damaged:
		return "checksum"
	case c.Origin && any(func(s *Segment) bool { return s.has("R") }):
		return "origin reset"
	case c.Origin && any(func(s *Segment) bool { return s.has("S") && !s.has("A") }):
		return "split handshake"
	case any(func(s *Segment) bool { return s.has("R") || s.has("F") }):
		return "insertion"
	case any(func(s *Segment) bool { return s.has("U") }):
		return "urgent"
	case any(func(s *Segment) bool { return s.has("S") && (s.Life != 0 || s.Seq != 0) }):
		return "second SYN"
	case c.Port == mailPort:
		return "greeting"
	case any(func(s *Segment) bool { return s.Ack != 0 || s.Rash || s.has("SA") }):
		return "provoked reset"
	case any(func(s *Segment) bool { return s.Text != "" && s.Text != "evil" && s.Text != "evil2" }):
		return "decoy"
	}
	return ""
}
