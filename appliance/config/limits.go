package config

import (
	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt"
)

// Limits bound what the appliance takes from its machine.
type Limits struct {
	admission.Options
	intake.Limits
	Engine decrypt.Limits
}

func (r *reader) limits(n *node) (l Limits) {
	t := r.table(n, "limits")
	t.fill("limits", "", &l, &l.Engine)
	t.close()
	return l
}
