package keeper

import (
	"bytes"
	"testing"
)

// FuzzOrder: no octets at the keeper's socket do harm.
func FuzzOrder(f *testing.F) {
	f.Add([]byte(`{"do":"upgrade","binary":"/x"}` + "\n"))
	f.Add([]byte(`{"do":1}` + "\n"))
	f.Add([]byte("\n"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		o, err := readOrder(bytes.NewReader(octets))
		if err == nil && len(o.Binary) > maxOrder {
			t.Fatal("an order without bounds")
		}
	})
}
