package wirefuzz

import (
	"reflect"

	"github.com/clearspan/clearspan/appliance/intake/wire"
)

// adapt has a wire that can be strict be so from its start on, or not at all.
func adapt(c *wire.Config, open bool) {
	v := reflect.ValueOf(c).Elem()
	if grace := v.FieldByName("Grace"); grace.IsValid() {
		grace.SetInt(1)
	}
	if f := v.FieldByName("Open"); f.IsValid() {
		f.SetBool(open)
	}
}

// strict reports whether the wire drops what it cannot judge.
func strict() bool {
	_, ok := reflect.TypeFor[wire.Config]().FieldByName("Open")
	return ok
}
