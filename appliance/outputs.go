package appliance

import (
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/export"
	"github.com/clearspan/clearspan/appliance/health"
)

// openAudit opens the audit log, and its outputs, which end after it: they send what it
// writes at last.
func (a *Appliance) openAudit() (err error) {
	told, c := audit.Events{}, a.cfg.Audit
	if len(c.Outputs) > 0 || c.Rotate.Rotates() {
		a.outputs, err = export.Open(export.Config{
			Trail: c.File, Rotate: c.Rotate, Outputs: c.Outputs,
			State: filepath.Join(a.cfg.State, "outputs"), Version: a.version, Logger: a.log,
		})
		if err != nil {
			return err
		}
		a.closers.push("audit outputs", a.outputs.Close)
		told = audit.Events{Written: a.outputs.Written, Ended: a.outputs.Ended}
		if err := a.metrics.Outputs(a.outputStates); err != nil {
			return err
		}
		a.watchOutputs()
	}
	if a.audit, err = audit.OpenTold(c.Options, told, a.log); err != nil {
		return err
	}
	a.closers.push("audit log", a.audit.Close)
	return a.metrics.AuditLost(a.audit.Lost)
}

// outputStates returns how the outputs do, for metrics.
func (a *Appliance) outputStates() []admin.OutputState {
	var list []admin.OutputState
	for _, s := range a.outputs.Status() {
		list = append(list, admin.OutputState{Name: s.Name, Written: s.Written, Lost: s.Lost, Lag: s.Lag})
	}
	return list
}

// watchOutputs puts the outputs onto the board.
func (a *Appliance) watchOutputs() {
	for i, s := range a.outputs.Status() {
		a.health.Add(health.Audit, "output "+s.Name, func() health.Reading {
			if err := a.outputs.Status()[i].Err; err != nil {
				return health.Reading{State: health.Down, Why: err.Error(), Do: "Look at the receiver and the way to it. Entries wait in the audit files, as long as these are kept."}
			}
			return health.Reading{}
		})
	}
}

// startOutputs begins to send.
func (a *Appliance) startOutputs() {
	if a.outputs != nil {
		a.outputs.Start()
	}
}

// drainOutputs leaves the outputs to the next process, if there is one.
func (a *Appliance) drainOutputs() {
	if a.outputs != nil {
		a.outputs.Drain()
	}
}
