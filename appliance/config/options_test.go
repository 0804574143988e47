package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// TestOptionsHaveKeys: every option of a package that acts can be set by the key of its
// section. With its description, a new option is thus read, and passed on whole.
func TestOptionsHaveKeys(t *testing.T) {
	byHand := map[string]bool{"origin.OnInvalid": true, "policy.learn.NarrowOffer": true} // a table, and no choice
	for section, options := range map[string][]any{
		"admin":        {&admin.Options{}},
		"audit":        {&audit.Options{}, &facts.Options{}},
		"block":        {&decrypt.RefusalOptions{}},
		"client":       {&decrypt.ClientOptions{}},
		"leaf":         {&certs.LeafOptions{}},
		"limits":       {&admission.Options{}, &intake.Limits{}, &decrypt.Limits{}},
		"origin":       {&decrypt.OriginOptions{}},
		"policy.learn": {&learn.Options{}},
	} {
		set := make(map[any]bool)
		for _, k := range Keys() {
			if k.Path == section || strings.HasPrefix(k.Path, section+".") {
				for _, f := range k.fields(options) {
					set[f.Addr().Interface()] = true
				}
			}
		}
		for _, o := range options {
			v := reflect.ValueOf(o).Elem()
			for i := range v.NumField() {
				name := section + "." + v.Type().Field(i).Name
				if !set[v.Field(i).Addr().Interface()] && !byHand[name] {
					t.Errorf("no key sets %s of %T", name, o)
				}
			}
		}
	}
}
