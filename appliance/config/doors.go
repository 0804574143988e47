package config

import (
	"fmt"
	"slices"
)

// Door is a way by which sessions, or what they say, pass without a judgement as long as
// a key leaves it open. The table of ways past the inspection in docs/limits.md is
// generated from these descriptions, as are the lines of [Config.OpenDoors].
type Door struct {
	// Key is the path of the key that opens the door, as in [Keys].
	Key string
	// Of are the modes or kinds whose key it is, as in [Key.Of]; nil: all.
	Of []string
	// Open is the value that opens it, as a file has it, or words for such values.
	Open string
	// Passes says in one sentence what passes by the door, and when.
	Passes string
	// Shut says in one sentence what closes the door, or bounds it.
	Shut string

	open func(*Config) []string // where it is open: beginnings of lines
}

// Doors returns the description of every door, in the order of the table.
func Doors() []Door {
	return slices.Concat(wireDoors, intakeDoors, policyDoors, eventDoors, learnDoors, originDoors, serviceDoors, limitDoors)
}

// ByDefault reports whether the door is open in a configuration that does not name its
// key.
func (d *Door) ByDefault() bool {
	for _, k := range Keys() {
		if k.Path == d.Key && slices.Equal(k.Of, d.Of) {
			return k.Default == d.Open
		}
	}
	return false
}

// OpenDoors names, a line each, the ways by which a session passes without a
// judgement: those of defaults, too. Each line says which key opens the door.
func (c *Config) OpenDoors() (lines []string) {
	for _, d := range Doors() {
		for _, place := range d.open(c) {
			lines = append(lines, place+": "+d.Passes)
		}
	}
	return lines
}

// when is a door that is open in one place, if it is.
func when(place string, open func(*Config) bool) func(*Config) []string {
	return func(c *Config) []string {
		if open(c) {
			return []string{place}
		}
		return nil
	}
}

// intakes is a door of each intake, where it is open.
func intakes(place string, open func(Intake) bool) func(*Config) []string {
	return func(c *Config) (places []string) {
		for _, in := range c.Intakes {
			if open(in) {
				places = append(places, fmt.Sprintf("intake %s: %s", in.Name, place))
			}
		}
		return places
	}
}

// services is a door of each service, where it is open.
func services(place string, open func(Service) bool) func(*Config) []string {
	return func(c *Config) (places []string) {
		for _, s := range c.Services {
			if open(s) {
				places = append(places, fmt.Sprintf("service %s: %s", s.Name, place))
			}
		}
		return places
	}
}

// rules is a door of the rules in which it is open: one place for all of them.
func rules(place string, open func(*Rule) bool) func(*Config) []string {
	return func(c *Config) []string {
		n, first := 0, ""
		for i := range c.Policy.Rules {
			if r := &c.Policy.Rules[i]; open(r) {
				if n++; n == 1 {
					first = r.Name
				}
			}
		}
		switch n {
		case 0:
			return nil
		case 1:
			return []string{fmt.Sprintf("rule %s: %s", first, place)}
		}
		return []string{fmt.Sprintf("rule %s and %d more: %s", first, n-1, place)}
	}
}
